//! Every diagnostic that this crate and `hoplab-controllers` raise: one table, which the reference page prints.

use hoplab_source::Code;

/// One kind of problem.
#[derive(Clone, Copy, Debug)]
pub struct CodeEntry {
    /// Its number.
    pub code: Code,
    /// A few words.
    pub title: &'static str,
    /// What it means and what to do.
    pub explanation: &'static str,
    /// Input that raises it.
    pub example: Example,
}

/// Input that raises a diagnostic.
#[derive(Clone, Copy, Debug)]
pub enum Example {
    /// As it would be written.
    Yaml(&'static str),
    /// Too large to be written out.
    Made(fn() -> String),
    /// Written after a first text was in force.
    Edited(&'static str, &'static str),
}

impl Example {
    /// The text.
    pub fn text(&self) -> String {
        match self {
            Example::Yaml(text) | Example::Edited(_, text) => (*text).to_owned(),
            Example::Made(make) => make(),
        }
    }
}

/// The entry of a code.
pub fn entry(code: Code) -> Option<&'static CodeEntry> {
    TABLE.iter().find(|entry| entry.code == code)
}

macro_rules! codes {
    ($($name:ident = $number:literal, $title:literal, $explanation:literal, $example:expr;)*) => {
        $(#[doc = $title] pub const $name: Code = Code($number);)*

        /// Every code, in order.
        pub static TABLE: &[CodeEntry] = &[$(CodeEntry {
            code: $name,
            title: $title,
            explanation: $explanation,
            example: $example,
        }),*];
    };
}

use Example::{Edited, Made, Yaml};

codes! {
    YAML_SYNTAX = 101, "not YAML",
        "The text is neither YAML nor JSON at that place. The other documents of the file are still read.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web\nspec: {}\n");
    CONTROL_CHARACTER = 102, "a control character",
        "YAML allows no control characters but tab and line ends. Often the file is binary, or in UTF-16.",
        Yaml("apiVersion: v1\nkind: Namespace\nmetadata: {name: \"a\0b\"}\n");
    SOURCE_TOO_LARGE = 103, "the file is too large",
        "One file may have 8 MiB. Split it, or leave out what networking does not need.",
        Made(|| "# padding\n".repeat((8 << 20) / 10 + 1));
    TOO_DEEP = 104, "values nest too deep",
        "Values may nest 100 levels; no Kubernetes object comes near that.",
        Made(|| "a: ".to_owned() + &"[".repeat(200));
    ALIAS_BUDGET = 105, "aliases expand too far",
        "Aliases and merge keys of one document may add 100,000 values. More is most likely an attack (billion laughs).",
        Made(alias_bomb);
    DUPLICATE_KEY = 106, "a key twice",
        "A mapping holds the same key twice; only one of them could count. The document is not used.",
        Yaml("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  name: b\n");
    YAML11_BOOLEAN = 107, "an unquoted yes, no, on or off",
        "kubectl reads YAML 1.1, where these words are booleans. Quote the word, or write true or false. y and n are booleans to kubectl too; here they are read as text.",
        Yaml("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nimmutable: no\n");
    NOT_AN_OBJECT = 108, "not an object",
        "A document of a manifest is a mapping with apiVersion, kind and metadata.",
        Yaml("- a\n- b\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n");
    NO_KIND = 109, "no apiVersion or no kind",
        "Every object says what it is with apiVersion and kind.",
        Yaml("apiVersion: v1\nmetadata: {name: a}\n");
    PASSED_OVER = 110, "a file without objects",
        "Nothing in the file has an apiVersion and a kind: it is something else, such as a chart's values, and is not read.",
        Yaml("replicas: 3\nimage: nginx\n");
    MERGE_KEY = 111, "a merge key of something else",
        "The value of `<<` is a mapping, or a list of mappings, most often an alias of one.",
        Yaml("apiVersion: v1\nkind: Namespace\nmetadata:\n  <<: text\n  name: a\n");
    EMPTY_SOURCE = 112, "an empty file",
        "The file holds no document, or comments only.",
        Yaml("# nothing here\n");

    WRONG_TYPE = 201, "a value of the wrong type",
        "The field holds a value of another type than the API has there.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: \"eighty\"}]}\n");
    REQUIRED = 202, "a required field is missing",
        "The API server refuses the object without this field.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}}\n");
    INVALID_NAME = 203, "an invalid name",
        "Names are DNS names: lower case letters, digits and hyphens, for most kinds dots as well.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: Web_1}\nspec: {ports: [{port: 80}]}\n");
    INVALID_LABEL = 204, "an invalid label or annotation",
        "Keys are `name` or `dns.prefix/name`, values of labels have at most 63 letters, digits, `-`, `_` and `.`.",
        Yaml("apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {app: \"my app\"}}\n");
    INVALID_SELECTOR = 205, "an invalid selector",
        "The operators are In and NotIn, which have values, and Exists and DoesNotExist, which have none.",
        Yaml("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  selector: {matchExpressions: [{key: app, operator: Has}]}\n  template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}\n");
    SELECTOR_MISMATCH = 206, "the selector does not match the template",
        "A workload must select the pods that it makes: the template's labels must match the selector.",
        Yaml("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  selector: {matchLabels: {app: a}}\n  template: {metadata: {labels: {app: b}}, spec: {containers: [{name: a, image: a}]}}\n");
    INVALID_PORT = 207, "no port number",
        "Ports are 1 to 65535.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 70000}]}\n");
    DUPLICATE = 208, "the same value twice",
        "Two items of a list are the same where each must be different: ports of a Service, names of ports or containers.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{name: a, port: 80}, {name: b, port: 80}]}\n");
    INVALID_PORT_NAME = 209, "an invalid name of a port",
        "A container port's name has at most 15 lower case letters, digits and hyphens, and at least one letter.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{name: HTTP, port: 80}]}\n");
    UNSUPPORTED_VALUE = 210, "none of the allowed words",
        "The field takes one of a few words.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80, protocol: tcp}]}\n");
    INVALID_ADDRESS = 211, "no address or range",
        "The field takes an IP address or a CIDR.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: 10.96.0.300, ports: [{port: 80}]}\n");
    SERVICE_TYPE = 212, "fields that do not go with the Service's type",
        "An ExternalName Service has a name and no address, a headless one cannot have node ports, and so on.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: NodePort, clusterIP: None, ports: [{port: 80}]}\n");
    IP_FAMILIES = 213, "IP families that do not fit",
        "ipFamilies, clusterIPs and ipFamilyPolicy must agree with each other and with the cluster's ranges.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ipFamilies: [IPv6], clusterIP: 10.96.3.4, ports: [{port: 80}]}\n");
    INVALID_VALUE = 214, "a value that is not allowed",
        "The value has the right type, and the API server refuses it all the same.",
        Yaml("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: -1\n  selector: {matchLabels: {app: a}}\n  template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}\n");
    DUPLICATE_OBJECT = 215, "the same object twice",
        "Two documents have the same group, kind, namespace and name. kubectl would apply the second over the first, and most likely one of them was to have another name.",
        Yaml("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n");
    NAMESPACE_SCOPE = 216, "a namespace where none belongs",
        "Objects of this kind are not in a namespace; the field is not used.",
        Yaml("apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n");
    UNKNOWN_FIELD = 217, "a field that does not exist",
        "kubectl's strict validation refuses fields that the API does not have; most often it is a slip of the pen.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80, targetport: 8080}]}\n");
    UNKNOWN_VERSION = 218, "an API version that is not served",
        "The kind exists, in another API version. Old versions were taken out of Kubernetes.",
        Yaml("apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}\n");
    UNKNOWN_KIND = 219, "a kind that hoplab does not know",
        "The object is kept and listed and has no effect. Where it could touch packets, hoplab does not know.",
        Yaml("apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\n");
    NOT_MODELLED = 220, "a kind that is not modelled yet",
        "The object could decide what becomes of a packet and hoplab does not model it yet: verdicts that it could touch are unknown.",
        Yaml("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: {}}\n");
    IMMUTABLE = 221, "a field that cannot change",
        "The API server refuses changes of this field: delete the object and make it anew.",
        Yaml("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  selector: {matchLabels: {app: a}}\n  template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}\n---\napiVersion: hoplab.dev/v1\nkind: Step\nmetadata: {name: s}\nspec:\n  apply:\n    - apiVersion: apps/v1\n      kind: Deployment\n      metadata: {name: a}\n      spec:\n        selector: {matchLabels: {app: b}}\n        template: {metadata: {labels: {app: b}}, spec: {containers: [{name: a, image: a}]}}\n");
    ALREADY_ALLOCATED = 222, "an address or node port twice",
        "Two Services ask for the same clusterIP or node port.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: 10.96.3.4, ports: [{port: 80}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {clusterIP: 10.96.3.4, ports: [{port: 80}]}\n");

    SELECTS_NOTHING = 301, "a Service that selects no pod",
        "No pod of the Service's namespace has all the labels of its selector: requests to it are refused.",
        Yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n");
    NO_SUCH_PORT = 302, "a port name that no pod has",
        "The Service's targetPort names a port that a pod behind it does not declare: that pod is no endpoint of the port.",
        Yaml("apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\nspec: {containers: [{name: a, image: a, ports: [{name: web, containerPort: 80}]}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}\n");
    UNSCHEDULABLE = 303, "a pod that fits on no node",
        "Every node is ruled out for the pod, which stays Pending without an address.",
        Yaml("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {nodeSelector: {disk: ssd}, containers: [{name: a, image: a}]}\n");
    UNKNOWN_CHECK = 304, "a check that does not exist",
        "A Step names a Probe or an Assert that no document holds.",
        Yaml("apiVersion: hoplab.dev/v1\nkind: Step\nmetadata: {name: s}\nspec: {checks: [nothing]}\n");
    RANGE_FULL = 305, "a range is used up",
        "No address is left in the range; widen it.",
        Yaml("apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: c}\nspec: {podCIDR: 10.1.0.0/29, nodeMask: 30, nodes: [{name: only}]}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: 3\n  selector: {matchLabels: {app: a}}\n  template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}\n");
    ADDRESS_TWICE = 306, "two parties with one address",
        "Two nodes, or two pods, have the same address; which one gets a packet is not defined.",
        Yaml("apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: c}\nspec: {nodes: [{name: a, address: 172.18.0.9}, {name: b, address: 172.18.0.9}]}\n");
    COREFILE_REFUSED = 307, "a Corefile that CoreDNS refuses",
        "The message is CoreDNS's own. A CoreDNS that runs keeps its earlier Corefile; one that starts with this one ends, again and again, and is not ready.",
        Yaml("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: coredns, namespace: kube-system}\ndata:\n  Corefile: |\n    .:53 {\n        kubernets cluster.local\n    }\n");
    COREDNS_ENDS = 308, "a CoreDNS that ends when it starts",
        "The Corefile can be read, and CoreDNS ends: its plug-in loop finds that it forwards to itself, or NodeLocal DNSCache is given no address to listen on.",
        Yaml("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: coredns, namespace: kube-system}\ndata:\n  Corefile: |\n    .:53 {\n        loop\n        forward . 127.0.0.1\n    }\n");
    COREFILE_NOT_READ = 309, "a Corefile that is not read",
        "The Corefile that CoreDNS runs with has no reload: a new one is read when its pod is made anew (kubectl rollout restart).",
        Edited(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: coredns, namespace: kube-system}\ndata:\n  Corefile: |\n    .:53 {\n        whoami\n    }\n",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: coredns, namespace: kube-system}\ndata:\n  Corefile: |\n    .:53 {\n        whoami\n        log\n    }\n",
        );
    RESOLV_CONF_CUT = 310, "a resolv.conf that was cut",
        "The kubelet leaves out what is past three name servers, 32 search domains or 2048 characters of them, and says so in an event with the reason DNSConfigForming.",
        Yaml("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  dnsConfig: {nameservers: [192.0.2.1, 192.0.2.2, 192.0.2.3]}\n  containers: [{name: a, image: a}]\n");

    HOPLAB_FIELD = 401, "a field that a hoplab kind does not have",
        "An unknown field in one of hoplab's own kinds is an error; the message names the fields that there are.",
        Yaml("apiVersion: hoplab.dev/v1\nkind: Probe\nmetadata: {name: p}\nspec: {from: {pod: a/b}, request: {tcp: {host: web, port: 80}}, expct: {outcome: delivered}}\n");
    EXACTLY_ONE = 402, "exactly one of several fields",
        "Of these fields exactly one must be given.",
        Yaml("apiVersion: hoplab.dev/v1\nkind: Probe\nmetadata: {name: p}\nspec: {from: {pod: a/b, node: c}, request: {tcp: {host: web, port: 80}}}\n");
    SEVERAL_CLUSTERS = 403, "more than one cluster",
        "Several clusters in one world are not modelled yet. The first by name is used.",
        Yaml("apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: east}\n---\napiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: west}\n");
    SETTING_NOT_MODELLED = 404, "a setting that is not modelled yet",
        "The Cluster asks for something that hoplab does not model yet; what it would decide is unknown.",
        Yaml("apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: c}\nspec: {cni: {name: cilium}}\n");
    INVALID_SOURCE = 405, "no source of a request",
        "A source is `namespace/name` or `namespace/kind/name` of a pod, a node, a declared host or an outside address.",
        Yaml("apiVersion: hoplab.dev/v1\nkind: Probe\nmetadata: {name: p}\nspec: {from: {pod: client}, request: {tcp: {host: web, port: 80}}}\n");
    INVALID_SETTING = 406, "cluster settings that contradict each other",
        "Ranges overlap, a mask does not fit its range, or a node stands outside the ranges that it must be in.",
        Yaml("apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: c}\nspec: {podCIDR: 10.96.0.0/16, serviceCIDR: 10.96.0.0/12}\n");
}

/// Nine lists, each of nine aliases of the one before: 9^9 values.
fn alias_bomb() -> String {
    let mut text = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (before, name) in ('a'..'i').zip('b'..='i') {
        let aliases = vec![format!("*{before}"); 9].join(", ");
        text.push_str(&format!("{name}: &{name} [{aliases}]\n"));
    }
    text
}
