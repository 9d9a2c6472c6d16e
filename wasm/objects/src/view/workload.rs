//! Workloads: what makes pods.

use super::{LabelSelector, Labels, ObjectMeta, PodSpec};
use crate::view::value::fields;

/// A pod to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodTemplateSpec {
    /// Labels and annotations of the pod.
    pub metadata: ObjectMeta,
    /// Its spec.
    pub spec: PodSpec,
}

fields! { PodTemplateSpec {
    metadata "metadata",
    spec "spec",
} }

macro_rules! workload {
    ($(#[$doc:meta])* $kind:ident, $spec:ident { $($(#[$field_doc:meta])* $field:ident $name:literal: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $kind {
            /// Metadata.
            pub metadata: ObjectMeta,
            /// Spec.
            pub spec: $spec,
        }

        fields! { $kind {
            metadata "metadata",
            spec "spec",
        } }

        /// The spec of the kind that its name begins with.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $spec {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        fields! { $spec { $($field $name),* } }
    };
}

workload! {
    /// A Deployment.
    Deployment, DeploymentSpec {
        /// Pods wanted; default 1.
        replicas "replicas": Option<i32>,
        /// Which pods are its own; required.
        selector "selector": Option<LabelSelector>,
        /// The pod to make.
        template "template": PodTemplateSpec,
        /// Whether a new template is rolled out.
        paused "paused": bool,
    }
}

workload! {
    /// A ReplicaSet.
    ReplicaSet, ReplicaSetSpec {
        /// Pods wanted; default 1.
        replicas "replicas": Option<i32>,
        /// Which pods are its own; required.
        selector "selector": Option<LabelSelector>,
        /// The pod to make.
        template "template": PodTemplateSpec,
    }
}

workload! {
    /// A ReplicationController.
    ReplicationController, ReplicationControllerSpec {
        /// Pods wanted; default 1.
        replicas "replicas": Option<i32>,
        /// Which pods are its own; default: the template's labels.
        selector "selector": Labels,
        /// The pod to make.
        template "template": Option<PodTemplateSpec>,
    }
}

workload! {
    /// A StatefulSet.
    StatefulSet, StatefulSetSpec {
        /// Pods wanted; default 1.
        replicas "replicas": Option<i32>,
        /// Which pods are its own; required.
        selector "selector": Option<LabelSelector>,
        /// The pod to make.
        template "template": PodTemplateSpec,
        /// The headless Service that gives its pods their names.
        service_name "serviceName": String,
        /// The first ordinal.
        ordinals "ordinals": Option<Ordinals>,
        /// `OrderedReady` (default) or `Parallel`.
        pod_management_policy "podManagementPolicy": String,
    }
}

/// Where a StatefulSet begins to count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordinals {
    /// The first number; default 0.
    pub start: i32,
}

fields! { Ordinals {
    start "start",
} }

workload! {
    /// A DaemonSet.
    DaemonSet, DaemonSetSpec {
        /// Which pods are its own; required.
        selector "selector": Option<LabelSelector>,
        /// The pod to make.
        template "template": PodTemplateSpec,
    }
}

workload! {
    /// A Job.
    Job, JobSpec {
        /// Pods at a time; default 1.
        parallelism "parallelism": Option<i32>,
        /// Pods that must succeed; default 1.
        completions "completions": Option<i32>,
        /// Which pods are its own; made up unless `manualSelector`.
        selector "selector": Option<LabelSelector>,
        /// The pod to make.
        template "template": PodTemplateSpec,
        /// Whether it waits.
        suspend "suspend": bool,
        /// `NonIndexed` (default) or `Indexed`.
        completion_mode "completionMode": String,
    }
}

workload! {
    /// A CronJob.
    CronJob, CronJobSpec {
        /// When, as cron writes it.
        schedule "schedule": String,
        /// Whether it waits.
        suspend "suspend": bool,
        /// The Job to make.
        job_template "jobTemplate": JobTemplate,
    }
}

/// A Job to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobTemplate {
    /// Labels and annotations of the Job.
    pub metadata: ObjectMeta,
    /// Its spec.
    pub spec: JobSpec,
}

fields! { JobTemplate {
    metadata "metadata",
    spec "spec",
} }

/// A PodTemplate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodTemplate {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// The pod to make.
    pub template: PodTemplateSpec,
}

fields! { PodTemplate {
    metadata "metadata",
    template "template",
} }
