//! The request that a world asks for by itself, offered before the reader has chosen one.

use crate::model::FirstRequest;
use hoplab_engine::World;
use hoplab_objects::Object;
use hoplab_objects::view::{Pod, Service};
use hoplab_scene::service_targets as targets;

/// A pod and the Service that it would call: one that its environment names, else one beside it that does not select
/// it. The cluster's own pods and Services are nobody's first question.
pub fn first_request(of: &World) -> Option<FirstRequest> {
    let named = clients(of).find_map(|(pod, view)| {
        let values = view.spec.containers.iter().flat_map(|c| &c.env);
        let mut called = values.filter_map(|v| authority(&v.value));
        called.find_map(|(host, port)| {
            let (name, rest) = host.split_once('.').unwrap_or((host, ""));
            let namespace = rest.split('.').next().filter(|n| !n.is_empty());
            let namespace = namespace.unwrap_or(&pod.key.namespace);
            let service = of.store().view::<Service>(namespace, name)?;
            ask(pod, &target(service, Some(port))?)
        })
    });
    let beside = |lone: bool| {
        clients(of).find_map(|(pod, _)| {
            let leading = of.relations().services_of_pod(&pod.key);
            if lone && !leading.is_empty() {
                return None;
            }
            let mut near = of.store().all::<Service>().filter(|(other, service)| {
                other.key.namespace == pod.key.namespace
                    && !service.spec.selector.is_empty()
                    && !leading.iter().any(|its| its.key == other.key)
            });
            let (_, service) = near.next()?;
            ask(pod, &target(service, None)?)
        })
    };
    // A pod that no Service leads to can only be a client.
    named.or_else(|| beside(true)).or_else(|| beside(false))
}

fn clients(of: &World) -> impl Iterator<Item = (&Object, &Pod)> {
    let pods = of.store().all::<Pod>().map(|(object, pod)| (&**object, &**pod));
    pods.filter(|(object, _)| object.key.namespace != "kube-system")
}

/// Host and port of `http://cart.shop/x`, `udp:dns:53`, `cart:7070`; `None`: nothing that a client would call.
fn authority(value: &str) -> Option<(&str, u16)> {
    let value = value.strip_prefix("udp:").unwrap_or(value);
    let (usual, rest) = match value.split_once("://") {
        Some(("https", rest)) => (Some(443), rest),
        Some((_, rest)) => (Some(80), rest),
        None => (None, value),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, usual?),
    };
    (!host.is_empty()).then_some((host, port))
}

/// What to send to a Service: to this port of it where it has it.
fn target(service: &Service, port: Option<u16>) -> Option<String> {
    let mut targets = targets(service);
    let exact = |target: &String| authority(target).is_some_and(|(_, p)| Some(p) == port);
    let any = |target: &String| authority(target).is_some();
    let at = targets
        .iter()
        .position(exact)
        .or_else(|| targets.iter().position(any))?;
    Some(targets.swap_remove(at))
}

fn ask(pod: &Object, to: &str) -> Option<FirstRequest> {
    Some(FirstRequest {
        from: format!("{}/{}", pod.key.namespace, pod.key.name),
        to: to.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use crate::model::SourceFile;
    use crate::session::Session;

    fn first(text: &str) -> Option<(String, String)> {
        let file = SourceFile {
            name: "world.yaml".to_owned(),
            text: text.to_owned(),
        };
        let load = Session::new().load(vec![file], Vec::new());
        assert!(load.fresh, "{:?}", load.diagnostics);
        load.first.map(|f| (f.from, f.to))
    }

    const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: grpc, port: 7070}, {name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-0, namespace: shop, labels: {app: cart}}
spec: {containers: [{name: c, image: cart}]}
---
apiVersion: v1
kind: Pod
";

    #[test]
    fn what_the_environment_names_goes_first() {
        let pod = "metadata: {name: web, namespace: shop}\nspec: {containers: [{name: c, image: web, env: [{name: CART, value: 'CART_VALUE'}]}]}";
        for (value, to) in [
            ("cart:7070", "cart.shop:7070"),
            ("http://cart/", "http://cart.shop/"),
            ("cart.shop.svc:80", "http://cart.shop/"),
        ] {
            let asked = first(&format!("{SERVICE}{}", pod.replace("CART_VALUE", value)));
            assert_eq!(asked, Some(("shop/web".to_owned(), to.to_owned())), "{value}");
        }
    }

    #[test]
    fn a_pod_asks_the_service_beside_it_that_is_not_its_own() {
        let pod = "metadata: {name: web, namespace: shop}\nspec: {containers: [{name: c, image: web}]}";
        let asked = first(&format!("{SERVICE}{pod}"));
        assert_eq!(asked, Some(("shop/web".to_owned(), "cart.shop:7070".to_owned())));
    }

    #[test]
    fn a_world_without_pods_asks_nothing() {
        assert_eq!(
            first("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"),
            None
        );
    }
}
