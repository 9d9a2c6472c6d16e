//! Fields that the API does not have: kubectl's strict validation, for the types that networking reads.

use super::Check;
use crate::codes;
use crate::names::did_you_mean;
use hoplab_source::{FieldPath, Severity};
use serde_json::Value;

/// Fields by type, as k8s.io/api v1.36 has them. `name:Type` is a value of another type here, `name:[Type]` a list of
/// them; everything else is not looked into.
static TYPES: &[(&str, &str)] = &[
    (
        "ObjectMeta",
        "name generateName namespace selfLink uid resourceVersion generation creationTimestamp deletionTimestamp \
        deletionGracePeriodSeconds labels annotations ownerReferences:[OwnerReference] finalizers managedFields clusterName",
    ),
    (
        "OwnerReference",
        "apiVersion kind name uid controller blockOwnerDeletion",
    ),
    ("LabelSelector", "matchLabels matchExpressions:[Requirement]"),
    ("Requirement", "key operator values"),
    ("Namespace", "apiVersion kind metadata:ObjectMeta spec status"),
    ("Node", "apiVersion kind metadata:ObjectMeta spec:NodeSpec status"),
    (
        "NodeSpec",
        "podCIDR podCIDRs providerID unschedulable taints:[Taint] configSource externalID",
    ),
    ("Taint", "key value effect timeAdded"),
    (
        "ConfigMap",
        "apiVersion kind metadata:ObjectMeta data binaryData immutable",
    ),
    (
        "Secret",
        "apiVersion kind metadata:ObjectMeta data stringData type immutable",
    ),
    (
        "ServiceAccount",
        "apiVersion kind metadata:ObjectMeta secrets imagePullSecrets automountServiceAccountToken",
    ),
    ("Pod", "apiVersion kind metadata:ObjectMeta spec:PodSpec status"),
    (
        "PodTemplate",
        "apiVersion kind metadata:ObjectMeta template:PodTemplateSpec",
    ),
    ("PodTemplateSpec", "metadata:ObjectMeta spec:PodSpec"),
    (
        "PodSpec",
        "volumes initContainers:[Container] containers:[Container] ephemeralContainers restartPolicy \
        terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName serviceAccount \
        automountServiceAccountToken nodeName hostNetwork hostPID hostIPC shareProcessNamespace securityContext \
        imagePullSecrets hostname subdomain affinity:Affinity schedulerName tolerations:[Toleration] hostAliases:[HostAlias] \
        priorityClassName priority dnsConfig:DnsConfig readinessGates:[ReadinessGate] runtimeClassName enableServiceLinks \
        preemptionPolicy overhead topologySpreadConstraints:[TopologySpreadConstraint] setHostnameAsFQDN os hostUsers \
        schedulingGates resourceClaims resources hostnameOverride workloadRef schedulingGroup",
    ),
    (
        "Container",
        "name image command args workingDir ports:[ContainerPort] envFrom env:[EnvVar] resources resizePolicy \
        restartPolicy restartPolicyRules volumeMounts:[VolumeMount] volumeDevices livenessProbe:Probe readinessProbe:Probe \
        startupProbe:Probe lifecycle terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext stdin \
        stdinOnce tty",
    ),
    ("ContainerPort", "name hostPort containerPort protocol hostIP"),
    ("EnvVar", "name value valueFrom"),
    (
        "VolumeMount",
        "name readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr",
    ),
    (
        "Probe",
        "exec httpGet:HttpGet tcpSocket:TcpSocket grpc initialDelaySeconds timeoutSeconds periodSeconds \
        successThreshold failureThreshold terminationGracePeriodSeconds",
    ),
    ("HttpGet", "path port host scheme httpHeaders"),
    ("TcpSocket", "port host"),
    ("Affinity", "nodeAffinity podAffinity podAntiAffinity"),
    ("Toleration", "key operator value effect tolerationSeconds"),
    ("HostAlias", "ip hostnames"),
    ("DnsConfig", "nameservers searches options"),
    ("ReadinessGate", "conditionType"),
    (
        "TopologySpreadConstraint",
        "maxSkew topologyKey whenUnsatisfiable labelSelector:LabelSelector minDomains \
        nodeAffinityPolicy nodeTaintsPolicy matchLabelKeys",
    ),
    (
        "Deployment",
        "apiVersion kind metadata:ObjectMeta spec:DeploymentSpec status",
    ),
    (
        "DeploymentSpec",
        "replicas selector:LabelSelector template:PodTemplateSpec strategy minReadySeconds \
        revisionHistoryLimit paused progressDeadlineSeconds",
    ),
    (
        "ReplicaSet",
        "apiVersion kind metadata:ObjectMeta spec:ReplicaSetSpec status",
    ),
    (
        "ReplicaSetSpec",
        "replicas minReadySeconds selector:LabelSelector template:PodTemplateSpec",
    ),
    (
        "ReplicationController",
        "apiVersion kind metadata:ObjectMeta spec:ReplicationControllerSpec status",
    ),
    (
        "ReplicationControllerSpec",
        "replicas minReadySeconds selector template:PodTemplateSpec",
    ),
    (
        "StatefulSet",
        "apiVersion kind metadata:ObjectMeta spec:StatefulSetSpec status",
    ),
    (
        "StatefulSetSpec",
        "replicas selector:LabelSelector template:PodTemplateSpec volumeClaimTemplates serviceName \
        podManagementPolicy updateStrategy revisionHistoryLimit minReadySeconds persistentVolumeClaimRetentionPolicy ordinals",
    ),
    (
        "DaemonSet",
        "apiVersion kind metadata:ObjectMeta spec:DaemonSetSpec status",
    ),
    (
        "DaemonSetSpec",
        "selector:LabelSelector template:PodTemplateSpec updateStrategy minReadySeconds revisionHistoryLimit",
    ),
    ("Job", "apiVersion kind metadata:ObjectMeta spec:JobSpec status"),
    (
        "JobSpec",
        "parallelism completions activeDeadlineSeconds podFailurePolicy successPolicy backoffLimit \
        backoffLimitPerIndex maxFailedIndexes selector:LabelSelector manualSelector template:PodTemplateSpec \
        ttlSecondsAfterFinished completionMode suspend podReplacementPolicy managedBy",
    ),
    (
        "CronJob",
        "apiVersion kind metadata:ObjectMeta spec:CronJobSpec status",
    ),
    (
        "CronJobSpec",
        "schedule timeZone startingDeadlineSeconds concurrencyPolicy suspend jobTemplate:JobTemplate \
        successfulJobsHistoryLimit failedJobsHistoryLimit",
    ),
    ("JobTemplate", "metadata:ObjectMeta spec:JobSpec"),
    (
        "Service",
        "apiVersion kind metadata:ObjectMeta spec:ServiceSpec status",
    ),
    (
        "ServiceSpec",
        "ports:[ServicePort] selector clusterIP clusterIPs type externalIPs sessionAffinity loadBalancerIP \
        loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses \
        sessionAffinityConfig ipFamilies ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass \
        internalTrafficPolicy trafficDistribution",
    ),
    (
        "ServicePort",
        "name protocol appProtocol port targetPort nodePort",
    ),
    (
        "Endpoints",
        "apiVersion kind metadata:ObjectMeta subsets:[Subset]",
    ),
    (
        "Subset",
        "addresses:[EndpointAddress] notReadyAddresses:[EndpointAddress] ports",
    ),
    ("EndpointAddress", "ip hostname nodeName targetRef"),
    (
        "EndpointSlice",
        "apiVersion kind metadata:ObjectMeta addressType endpoints:[Endpoint] ports:[EndpointPort]",
    ),
    (
        "Endpoint",
        "addresses conditions hostname targetRef deprecatedTopology nodeName zone hints",
    ),
    ("EndpointPort", "name protocol port appProtocol"),
];

/// Reports unknown fields: an error where a known one is meant, a warning where the field may be newer than the table.
pub(super) fn check(check: &mut Check<'_>) {
    let object = check.object;
    if object.key.group == "hoplab.dev" || !crate::view::has_view(&object.key.group, &object.key.kind) {
        return;
    }
    let mut unknown = Vec::new();
    walk(&object.value, &object.key.kind, &FieldPath::root(), &mut unknown);
    for (path, meant, field) in unknown {
        let severity = if meant.is_some() {
            Severity::Error
        } else {
            Severity::Warning
        };
        let mut problem = object.problem_at(path.clone(), codes::UNKNOWN_FIELD, severity, "");
        problem.message = format!("strict decoding error: unknown field \"{path}\"");
        if let Some(written) = crate::object::spans(object).and_then(|spans| spans.key(&path)) {
            problem.primary = Some(written);
        }
        problem.help = Some(match meant {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("the API has no field \"{field}\" there; it has no effect"),
        });
        check.found.push(problem);
    }
}

fn walk<'v>(
    value: &'v Value,
    type_name: &str,
    path: &FieldPath,
    unknown: &mut Vec<(FieldPath, Option<&'static str>, &'v str)>,
) {
    let (Some((_, fields)), Value::Object(map)) = (TYPES.iter().find(|(name, _)| *name == type_name), value)
    else {
        return;
    };
    let names = || {
        fields
            .split_whitespace()
            .map(|field| field.split_once(':').map_or((field, ""), |split| split))
    };
    for (key, value) in map {
        match names().find(|(name, _)| name == key) {
            None => unknown.push((
                path.key(key),
                did_you_mean(key, names().map(|(name, _)| name)),
                key,
            )),
            Some((_, "")) => {}
            Some((_, inner)) => match (
                inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')),
                value,
            ) {
                (Some(item), Value::Array(items)) => {
                    for (index, value) in items.iter().enumerate() {
                        walk(value, item, &path.key(key).index(index), unknown);
                    }
                }
                (None, value) => walk(value, inner, &path.key(key), unknown),
                _ => {}
            },
        }
    }
}
