//! Every kind that hoplab has heard of: its plural and short names for `get`, whether it has a namespace, and
//! how far the engine models it.

use hoplab_source::Gvk;

/// How far a kind is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modelled {
    /// The engine acts on it.
    Yes,
    /// Kept and listed. It could decide what becomes of a packet: a verdict that it might touch is unknown.
    CouldDecide,
    /// Kept and listed. It decides nothing about packets that the engine does not know from elsewhere.
    Inert,
}

/// One kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group; empty for core.
    pub group: &'static str,
    /// Versions that are read.
    pub versions: &'static [&'static str],
    /// `Service`.
    pub kind: &'static str,
    /// `services`.
    pub plural: &'static str,
    /// `svc`.
    pub short: &'static [&'static str],
    /// Whether objects of it are in a namespace.
    pub namespaced: bool,
    /// How far it is modelled.
    pub modelled: Modelled,
}

impl Kind {
    /// `service`, as kubectl also takes it.
    pub fn singular(&self) -> String {
        self.kind.to_ascii_lowercase()
    }

    /// `apps/v1`, the version that is preferred.
    pub fn api_version(&self) -> String {
        let version = self.versions.first().copied().unwrap_or("v1");
        if self.group.is_empty() {
            version.to_owned()
        } else {
            format!("{}/{version}", self.group)
        }
    }
}

macro_rules! table {
    ($($group:literal $versions:tt { $($kind:ident $plural:literal [$($short:literal)*] $scope:ident $modelled:ident;)* })*) => {
        &[$($(Kind {
            group: $group,
            versions: table!(@ $versions),
            kind: stringify!($kind),
            plural: $plural,
            short: &[$($short),*],
            namespaced: table!(@ $scope),
            modelled: Modelled::$modelled,
        },)*)*]
    };
    (@ [$($version:literal)*]) => { &[$($version),*] };
    (@ ns) => { true };
    (@ cluster) => { false };
}

/// Every kind, core first. Names as `kubectl api-resources` prints them.
pub static KINDS: &[Kind] = table! {
    "" ["v1"] {
        Pod "pods" ["po"] ns Yes;
        Service "services" ["svc"] ns Yes;
        Endpoints "endpoints" ["ep"] ns Yes;
        Node "nodes" ["no"] cluster Yes;
        Namespace "namespaces" ["ns"] cluster Yes;
        ConfigMap "configmaps" ["cm"] ns Yes;
        Secret "secrets" [] ns Yes;
        ServiceAccount "serviceaccounts" ["sa"] ns Yes;
        ReplicationController "replicationcontrollers" ["rc"] ns Yes;
        PodTemplate "podtemplates" [] ns Yes;
        Event "events" ["ev"] ns Inert;
        LimitRange "limitranges" ["limits"] ns Inert;
        ResourceQuota "resourcequotas" ["quota"] ns Inert;
        PersistentVolume "persistentvolumes" ["pv"] cluster Inert;
        PersistentVolumeClaim "persistentvolumeclaims" ["pvc"] ns Inert;
        ComponentStatus "componentstatuses" ["cs"] cluster Inert;
        Binding "bindings" [] ns Inert;
    }
    "apps" ["v1"] {
        Deployment "deployments" ["deploy"] ns Yes;
        ReplicaSet "replicasets" ["rs"] ns Yes;
        StatefulSet "statefulsets" ["sts"] ns Yes;
        DaemonSet "daemonsets" ["ds"] ns Yes;
        ControllerRevision "controllerrevisions" [] ns Inert;
    }
    "batch" ["v1"] {
        Job "jobs" [] ns Yes;
        CronJob "cronjobs" ["cj"] ns Yes;
    }
    "discovery.k8s.io" ["v1"] {
        EndpointSlice "endpointslices" [] ns Yes;
    }
    "hoplab.dev" ["v1"] {
        Cluster "clusters" [] cluster Yes;
        Host "hosts" [] cluster Yes;
        Network "networks" [] cluster Yes;
        Zone "zones" [] cluster Yes;
        Fault "faults" [] cluster CouldDecide;
        Layout "layouts" [] cluster Yes;
        Probe "probes" [] cluster Yes;
        Assert "asserts" [] cluster Yes;
        Step "steps" [] cluster Yes;
        Reject "rejects" [] cluster Yes;
    }
    "networking.k8s.io" ["v1" "v1beta1"] {
        NetworkPolicy "networkpolicies" ["netpol"] ns CouldDecide;
        Ingress "ingresses" ["ing"] ns CouldDecide;
        IngressClass "ingressclasses" [] cluster CouldDecide;
        IPAddress "ipaddresses" ["ip"] cluster Inert;
        ServiceCIDR "servicecidrs" [] cluster CouldDecide;
    }
    "policy.networking.k8s.io" ["v1alpha2" "v1alpha1"] {
        ClusterNetworkPolicy "clusternetworkpolicies" ["cnp"] cluster CouldDecide;
        AdminNetworkPolicy "adminnetworkpolicies" ["anp"] cluster CouldDecide;
        BaselineAdminNetworkPolicy "baselineadminnetworkpolicies" ["banp"] cluster CouldDecide;
    }
    "gateway.networking.k8s.io" ["v1" "v1beta1" "v1alpha3" "v1alpha2"] {
        GatewayClass "gatewayclasses" ["gc"] cluster CouldDecide;
        Gateway "gateways" ["gtw"] ns CouldDecide;
        HTTPRoute "httproutes" [] ns CouldDecide;
        GRPCRoute "grpcroutes" [] ns CouldDecide;
        TLSRoute "tlsroutes" [] ns CouldDecide;
        TCPRoute "tcproutes" [] ns CouldDecide;
        UDPRoute "udproutes" [] ns CouldDecide;
        ReferenceGrant "referencegrants" ["refgrant"] ns CouldDecide;
        BackendTLSPolicy "backendtlspolicies" ["btlspolicy"] ns CouldDecide;
        ListenerSet "listenersets" ["lset"] ns CouldDecide;
    }
    "gateway.networking.x-k8s.io" ["v1alpha1"] {
        XListenerSet "xlistenersets" ["lset"] ns CouldDecide;
        XBackendTrafficPolicy "xbackendtrafficpolicies" [] ns CouldDecide;
        XMesh "xmeshes" [] cluster CouldDecide;
    }
    "multicluster.x-k8s.io" ["v1beta1" "v1alpha1"] {
        ServiceExport "serviceexports" ["svcex"] ns CouldDecide;
        ServiceImport "serviceimports" ["svcim"] ns CouldDecide;
    }
    "route.openshift.io" ["v1"] {
        Route "routes" [] ns CouldDecide;
    }
    "crd.projectcalico.org" ["v1"] {
        NetworkPolicy "networkpolicies" [] ns CouldDecide;
        GlobalNetworkPolicy "globalnetworkpolicies" [] cluster CouldDecide;
        NetworkSet "networksets" [] ns CouldDecide;
        GlobalNetworkSet "globalnetworksets" [] cluster CouldDecide;
        HostEndpoint "hostendpoints" [] cluster CouldDecide;
        IPPool "ippools" [] cluster CouldDecide;
        BGPConfiguration "bgpconfigurations" [] cluster CouldDecide;
        BGPPeer "bgppeers" [] cluster CouldDecide;
        FelixConfiguration "felixconfigurations" [] cluster CouldDecide;
        Tier "tiers" [] cluster CouldDecide;
    }
    "projectcalico.org" ["v3"] {
        NetworkPolicy "networkpolicies" ["cnp"] ns CouldDecide;
        GlobalNetworkPolicy "globalnetworkpolicies" ["gnp"] cluster CouldDecide;
        NetworkSet "networksets" ["netsets"] ns CouldDecide;
        GlobalNetworkSet "globalnetworksets" [] cluster CouldDecide;
        HostEndpoint "hostendpoints" ["hep"] cluster CouldDecide;
        IPPool "ippools" [] cluster CouldDecide;
        BGPConfiguration "bgpconfigurations" [] cluster CouldDecide;
        BGPPeer "bgppeers" [] cluster CouldDecide;
        FelixConfiguration "felixconfigurations" [] cluster CouldDecide;
        Tier "tiers" [] cluster CouldDecide;
    }
    "cilium.io" ["v2" "v2alpha1"] {
        CiliumNetworkPolicy "ciliumnetworkpolicies" ["cnp" "ciliumnp"] ns CouldDecide;
        CiliumClusterwideNetworkPolicy "ciliumclusterwidenetworkpolicies" ["ccnp"] cluster CouldDecide;
        CiliumEnvoyConfig "ciliumenvoyconfigs" ["cec"] ns CouldDecide;
        CiliumClusterwideEnvoyConfig "ciliumclusterwideenvoyconfigs" ["ccec"] cluster CouldDecide;
        CiliumEgressGatewayPolicy "ciliumegressgatewaypolicies" ["cegp"] cluster CouldDecide;
        CiliumLocalRedirectPolicy "ciliumlocalredirectpolicies" ["clrp"] ns CouldDecide;
        CiliumLoadBalancerIPPool "ciliumloadbalancerippools" ["ippools" "lbippool"] cluster CouldDecide;
        CiliumL2AnnouncementPolicy "ciliuml2announcementpolicies" ["l2announcement"] cluster CouldDecide;
        CiliumCIDRGroup "ciliumcidrgroups" ["ccg"] cluster CouldDecide;
        CiliumEndpoint "ciliumendpoints" ["cep"] ns Inert;
        CiliumNode "ciliumnodes" ["cn"] cluster Inert;
        CiliumIdentity "ciliumidentities" ["ciliumid"] cluster Inert;
    }
    "networking.istio.io" ["v1" "v1beta1" "v1alpha3"] {
        VirtualService "virtualservices" ["vs"] ns CouldDecide;
        DestinationRule "destinationrules" ["dr"] ns CouldDecide;
        Gateway "gateways" ["gw"] ns CouldDecide;
        ServiceEntry "serviceentries" ["se"] ns CouldDecide;
        Sidecar "sidecars" [] ns CouldDecide;
        WorkloadEntry "workloadentries" ["we"] ns CouldDecide;
        WorkloadGroup "workloadgroups" ["wg"] ns CouldDecide;
        EnvoyFilter "envoyfilters" [] ns CouldDecide;
        ProxyConfig "proxyconfigs" [] ns CouldDecide;
    }
    "security.istio.io" ["v1" "v1beta1"] {
        AuthorizationPolicy "authorizationpolicies" ["ap"] ns CouldDecide;
        PeerAuthentication "peerauthentications" ["pa"] ns CouldDecide;
        RequestAuthentication "requestauthentications" ["ra"] ns CouldDecide;
    }
    "policy.linkerd.io" ["v1beta3" "v1beta2" "v1beta1" "v1alpha1"] {
        Server "servers" ["srv"] ns CouldDecide;
        ServerAuthorization "serverauthorizations" ["saz"] ns CouldDecide;
        AuthorizationPolicy "authorizationpolicies" ["authzpolicy"] ns CouldDecide;
        MeshTLSAuthentication "meshtlsauthentications" ["meshtlsauthn"] ns CouldDecide;
        NetworkAuthentication "networkauthentications" ["netauthn"] ns CouldDecide;
        HTTPRoute "httproutes" [] ns CouldDecide;
        EgressNetwork "egressnetworks" [] ns CouldDecide;
    }
    "linkerd.io" ["v1alpha2"] {
        ServiceProfile "serviceprofiles" ["sp"] ns CouldDecide;
    }
    "metallb.io" ["v1beta1" "v1beta2"] {
        IPAddressPool "ipaddresspools" [] ns CouldDecide;
        L2Advertisement "l2advertisements" [] ns CouldDecide;
        BGPAdvertisement "bgpadvertisements" [] ns CouldDecide;
        BGPPeer "bgppeers" [] ns CouldDecide;
    }
    "k8s.cni.cncf.io" ["v1"] {
        NetworkAttachmentDefinition "network-attachment-definitions" ["net-attach-def"] ns CouldDecide;
    }
    "traefik.io" ["v1alpha1"] {
        IngressRoute "ingressroutes" [] ns CouldDecide;
        IngressRouteTCP "ingressroutetcps" [] ns CouldDecide;
        IngressRouteUDP "ingressrouteudps" [] ns CouldDecide;
        Middleware "middlewares" [] ns CouldDecide;
    }
    "vpcresources.k8s.aws" ["v1beta1"] {
        SecurityGroupPolicy "securitygrouppolicies" ["sgp"] ns CouldDecide;
    }
    "autoscaling" ["v2" "v1"] {
        HorizontalPodAutoscaler "horizontalpodautoscalers" ["hpa"] ns Inert;
    }
    "policy" ["v1"] {
        PodDisruptionBudget "poddisruptionbudgets" ["pdb"] ns Inert;
    }
    "rbac.authorization.k8s.io" ["v1"] {
        Role "roles" [] ns Inert;
        RoleBinding "rolebindings" [] ns Inert;
        ClusterRole "clusterroles" [] cluster Inert;
        ClusterRoleBinding "clusterrolebindings" [] cluster Inert;
    }
    "storage.k8s.io" ["v1"] {
        StorageClass "storageclasses" ["sc"] cluster Inert;
        CSIDriver "csidrivers" [] cluster Inert;
        CSINode "csinodes" [] cluster Inert;
        CSIStorageCapacity "csistoragecapacities" [] ns Inert;
        VolumeAttachment "volumeattachments" [] cluster Inert;
        VolumeAttributesClass "volumeattributesclasses" ["vac"] cluster Inert;
    }
    "scheduling.k8s.io" ["v1"] {
        PriorityClass "priorityclasses" ["pc"] cluster Inert;
    }
    "coordination.k8s.io" ["v1"] {
        Lease "leases" [] ns Inert;
    }
    "node.k8s.io" ["v1"] {
        RuntimeClass "runtimeclasses" [] cluster Inert;
    }
    "events.k8s.io" ["v1"] {
        Event "events" ["ev"] ns Inert;
    }
    "certificates.k8s.io" ["v1"] {
        CertificateSigningRequest "certificatesigningrequests" ["csr"] cluster Inert;
    }
    "flowcontrol.apiserver.k8s.io" ["v1"] {
        FlowSchema "flowschemas" [] cluster Inert;
        PriorityLevelConfiguration "prioritylevelconfigurations" [] cluster Inert;
    }
    "admissionregistration.k8s.io" ["v1"] {
        MutatingWebhookConfiguration "mutatingwebhookconfigurations" [] cluster Inert;
        ValidatingWebhookConfiguration "validatingwebhookconfigurations" [] cluster Inert;
        ValidatingAdmissionPolicy "validatingadmissionpolicies" [] cluster Inert;
        ValidatingAdmissionPolicyBinding "validatingadmissionpolicybindings" [] cluster Inert;
    }
    "apiextensions.k8s.io" ["v1"] {
        CustomResourceDefinition "customresourcedefinitions" ["crd" "crds"] cluster Inert;
    }
    "apiregistration.k8s.io" ["v1"] {
        APIService "apiservices" [] cluster Inert;
    }
    "cert-manager.io" ["v1"] {
        Certificate "certificates" ["cert" "certs"] ns Inert;
        Issuer "issuers" [] ns Inert;
        ClusterIssuer "clusterissuers" [] cluster Inert;
    }
};

/// The kind of a group.
pub fn kind(group: &str, kind: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .find(|entry| entry.group == group && entry.kind == kind)
}

/// The kind that kubectl means by `po`, `pods`, `pod`, `Pod` or `deployments.apps`; the first in the table's order.
pub fn by_name(name: &str) -> Option<&'static Kind> {
    let name = name.to_ascii_lowercase();
    let (resource, group) = match name.split_once('.') {
        Some((resource, group)) => (resource, Some(group)),
        None => (name.as_str(), None),
    };
    KINDS.iter().find(|entry| {
        group.is_none_or(|group| entry.group == group)
            && (entry.plural == resource || entry.short.contains(&resource) || entry.singular() == resource)
    })
}

/// Whether an object of this kind has a namespace; of an unknown kind, whether it says so itself.
pub fn is_namespaced(gvk: &Gvk, has_namespace: bool) -> bool {
    kind(&gvk.group, &gvk.kind).map_or(has_namespace, |entry| entry.namespaced)
}

/// API versions that were taken out of Kubernetes, and what took their place.
/// Source: kubernetes.io/docs/reference/using-api/deprecation-guide.
pub static REMOVED: &[(&str, &[&str], &str)] = &[
    (
        "extensions/v1beta1",
        &["Deployment", "DaemonSet", "ReplicaSet"],
        "apps/v1",
    ),
    (
        "extensions/v1beta1",
        &["Ingress", "NetworkPolicy"],
        "networking.k8s.io/v1",
    ),
    ("apps/v1beta1", &["Deployment", "StatefulSet"], "apps/v1"),
    (
        "apps/v1beta2",
        &["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"],
        "apps/v1",
    ),
    ("batch/v1beta1", &["CronJob"], "batch/v1"),
    (
        "discovery.k8s.io/v1beta1",
        &["EndpointSlice"],
        "discovery.k8s.io/v1",
    ),
    (
        "networking.k8s.io/v1beta1",
        &["Ingress", "IngressClass"],
        "networking.k8s.io/v1",
    ),
    ("policy/v1beta1", &["PodDisruptionBudget"], "policy/v1"),
    (
        "autoscaling/v2beta2",
        &["HorizontalPodAutoscaler"],
        "autoscaling/v2",
    ),
    (
        "autoscaling/v2beta1",
        &["HorizontalPodAutoscaler"],
        "autoscaling/v2",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_as_kubectl_names_them() {
        for (name, expected) in [
            ("po", Some("Pod")),
            ("pods", Some("Pod")),
            ("Pod", Some("Pod")),
            ("svc", Some("Service")),
            ("deploy", Some("Deployment")),
            ("deployments.apps", Some("Deployment")),
            ("gateways.networking.istio.io", Some("Gateway")),
            ("ep", Some("Endpoints")),
            ("netpol", Some("NetworkPolicy")),
            ("nonsense", None),
        ] {
            assert_eq!(by_name(name).map(|kind| kind.kind), expected, "{name}");
        }
    }

    #[test]
    fn every_typed_kind_is_in_the_table() {
        for (group, name) in [("", "Pod"), ("apps", "Deployment"), ("hoplab.dev", "Probe")] {
            assert!(kind(group, name).is_some() && crate::view::has_view(group, name));
        }
        for entry in KINDS {
            assert!(
                !crate::view::has_view(entry.group, entry.kind) || entry.modelled != Modelled::Inert,
                "{}",
                entry.kind
            );
        }
    }
}
