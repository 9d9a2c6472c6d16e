//! hoplab's own kinds, group `hoplab.dev`. A field that they do not know is an error.

mod check;
mod expect;
mod world;

pub use check::{
    Assert, AssertSpec, ConditionCheck, FieldCheck, NodeCheck, ObjectRef, Patch, Reject, RejectSpec, Step,
    StepFault, StepSpec,
};
pub use expect::{
    BackendStatus, DnsExpect, DroppedBy, Expect, HeadersAt, MirroredTo, Received, Redirect, Response, SameAs,
    SourceExpect, Tls,
};
pub use probe::{
    DnsRequest, GrpcRequest, HeaderList, HttpRequest, IcmpRequest, Probe, ProbeSpec, Request, Source,
    TlsRequest, TransportRequest,
};
pub use world::{
    Cluster, ClusterNode, ClusterSpec, Cni, Fault, FaultSpec, Host, HostInterface, HostRoute, HostSpec,
    Layout, Listen, LoadBalancer, Mesh, Network, NetworkSpec, OneOrMany, Proxy, Zone, ZoneSpec,
};

mod probe;
