//! Typed views of objects: only the fields that networking needs. Each is made from the stored
//! [`serde_json::Value`], which keeps everything else.

mod config;
mod endpoints;
pub mod hoplab;
mod meta;
mod node;
mod pod;
mod read;
mod scalars;
mod service;
pub(crate) mod value;
mod workload;

pub use config::{ConfigMap, Namespace, Secret, ServiceAccount};
pub use endpoints::{
    Endpoint, EndpointAddress, EndpointConditions, EndpointPort, EndpointSlice, EndpointSubset, Endpoints,
    ObjectReference,
};
pub use meta::{Condition, LabelSelector, Labels, ObjectMeta, OwnerReference, SelectorRequirement};
pub use node::{Node, NodeAddress, NodeSpec, NodeStatus, Taint};
pub use pod::{
    Affinity, ConfigMapRef, Container, ContainerPort, DnsConfig, DnsOption, EnvVar, ExecAction, GrpcAction,
    HostAlias, HttpGetAction, HttpHeader, NodeAffinity, NodeSelector, NodeSelectorRequirement,
    NodeSelectorTerm, Pod, PodAffinity, PodAffinityTerm, PodIp, PodSpec, PodStatus, Probe, ReadinessGate,
    SecretRef, TcpSocketAction, Toleration, TopologySpreadConstraint, Volume, VolumeMount,
};
pub(crate) use read::{Cause, Problem, at, describe, metadata_problems, strip_nulls, typed};
pub(crate) use scalars::optional_text;
pub use scalars::{IntOrString, Protocol};
pub use service::{
    ClusterIp, IngressPoint, IpFamily, IpFamilyPolicy, LoadBalancerStatus, Service, ServicePort, ServiceSpec,
    ServiceStatus, ServiceType, SessionAffinityConfig,
};
pub use workload::{
    CronJob, CronJobSpec, DaemonSet, DaemonSetSpec, Deployment, DeploymentSpec, Job, JobSpec, JobTemplate,
    PodTemplate, PodTemplateSpec, ReplicaSet, ReplicaSetSpec, ReplicationController,
    ReplicationControllerSpec, StatefulSet, StatefulSetSpec,
};

use std::sync::Arc;

/// A kind that has a typed view.
pub trait View: Sized {
    /// API group; empty for core.
    const GROUP: &'static str;
    /// Kind.
    const KIND: &'static str;
    /// The view inside `typed`, if it is of this kind.
    fn of(typed: &Typed) -> Option<&Arc<Self>>;
    /// The metadata.
    fn metadata(&self) -> &ObjectMeta;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident($view:ty) = $group:literal $kind:literal;)*) => {
        /// An object's typed view, by kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Typed {
            $($(#[$doc])* $variant(Arc<$view>),)*
            /// A kind without a view.
            Other,
        }

        $(impl View for $view {
            const GROUP: &'static str = $group;
            const KIND: &'static str = $kind;
            fn of(typed: &Typed) -> Option<&Arc<Self>> {
                match typed {
                    Typed::$variant(view) => Some(view),
                    _ => None,
                }
            }
            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }
        })*

        /// Makes the typed view of a value of this group and kind, reporting each field of a wrong type.
        pub(crate) fn view_of(
            group: &str,
            kind: &str,
            value: &serde_json::Value,
            problems: &mut Vec<read::Problem>,
        ) -> Typed {
            match (group, kind) {
                $(($group, $kind) => read::read::<$view>(value, problems)
                    .map_or(Typed::Other, |view| Typed::$variant(Arc::new(view))),)*
                _ => Typed::Other,
            }
        }

        /// Whether a kind has a typed view.
        pub fn has_view(group: &str, kind: &str) -> bool {
            matches!((group, kind), $(($group, $kind))|*)
        }
    };
}

kinds! {
    /// A Namespace.
    Namespace(Namespace) = "" "Namespace";
    /// A Node.
    Node(Node) = "" "Node";
    /// A Pod.
    Pod(Pod) = "" "Pod";
    /// A PodTemplate.
    PodTemplate(PodTemplate) = "" "PodTemplate";
    /// A ReplicationController.
    ReplicationController(ReplicationController) = "" "ReplicationController";
    /// A Service.
    Service(Service) = "" "Service";
    /// An Endpoints object.
    Endpoints(Endpoints) = "" "Endpoints";
    /// A ConfigMap.
    ConfigMap(ConfigMap) = "" "ConfigMap";
    /// A Secret.
    Secret(Secret) = "" "Secret";
    /// A ServiceAccount.
    ServiceAccount(ServiceAccount) = "" "ServiceAccount";
    /// A Deployment.
    Deployment(Deployment) = "apps" "Deployment";
    /// A ReplicaSet.
    ReplicaSet(ReplicaSet) = "apps" "ReplicaSet";
    /// A StatefulSet.
    StatefulSet(StatefulSet) = "apps" "StatefulSet";
    /// A DaemonSet.
    DaemonSet(DaemonSet) = "apps" "DaemonSet";
    /// A Job.
    Job(Job) = "batch" "Job";
    /// A CronJob.
    CronJob(CronJob) = "batch" "CronJob";
    /// An EndpointSlice.
    EndpointSlice(EndpointSlice) = "discovery.k8s.io" "EndpointSlice";
    /// hoplab's Cluster.
    Cluster(hoplab::Cluster) = "hoplab.dev" "Cluster";
    /// hoplab's Host.
    Host(hoplab::Host) = "hoplab.dev" "Host";
    /// hoplab's Network.
    Network(hoplab::Network) = "hoplab.dev" "Network";
    /// hoplab's Zone.
    Zone(hoplab::Zone) = "hoplab.dev" "Zone";
    /// hoplab's Fault.
    Fault(hoplab::Fault) = "hoplab.dev" "Fault";
    /// hoplab's Layout.
    Layout(hoplab::Layout) = "hoplab.dev" "Layout";
    /// hoplab's Probe.
    HoplabProbe(hoplab::Probe) = "hoplab.dev" "Probe";
    /// hoplab's Assert.
    Assert(hoplab::Assert) = "hoplab.dev" "Assert";
    /// hoplab's Step.
    Step(hoplab::Step) = "hoplab.dev" "Step";
    /// hoplab's Reject.
    Reject(hoplab::Reject) = "hoplab.dev" "Reject";
}
