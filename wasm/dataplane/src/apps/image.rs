//! Image references, and the table of what well-known images do.

use super::http::Page;
use hoplab_wire::L4Protocol;

/// What an image does by itself.
#[derive(Debug)]
pub(super) struct KnownImage {
    /// Last part of the repository.
    pub repository: &'static str,
    /// How the process shows in hops and in `ss`.
    pub process: &'static str,
    /// Ports that it listens on whatever the manifest declares, unless its configuration is changed.
    pub ports: &'static [(L4Protocol, u16)],
    /// What it serves over HTTP; `None`: it does not speak HTTP.
    pub page: Option<Page>,
}

const TCP: L4Protocol = L4Protocol::Tcp;

/// Ports are those of each image's own documentation (its Dockerfile's EXPOSE and default configuration).
pub(super) static KNOWN: &[KnownImage] = &[
    KnownImage {
        repository: "nginx",
        process: "nginx",
        ports: &[(TCP, 80)],
        page: Some(Page::Nginx),
    },
    KnownImage {
        repository: "httpd",
        process: "httpd",
        ports: &[(TCP, 80)],
        page: Some(Page::Httpd),
    },
    KnownImage {
        repository: "whoami",
        process: "whoami",
        ports: &[(TCP, 80)],
        page: Some(Page::Whoami),
    },
    KnownImage {
        repository: "httpbin",
        process: "gunicorn",
        ports: &[(TCP, 80)],
        page: Some(Page::Httpbin),
    },
    KnownImage {
        repository: "redis",
        process: "redis-server",
        ports: &[(TCP, 6379)],
        page: None,
    },
    KnownImage {
        repository: "valkey",
        process: "valkey-server",
        ports: &[(TCP, 6379)],
        page: None,
    },
    KnownImage {
        repository: "postgres",
        process: "postgres",
        ports: &[(TCP, 5432)],
        page: None,
    },
    KnownImage {
        repository: "mysql",
        process: "mysqld",
        ports: &[(TCP, 3306)],
        page: None,
    },
    KnownImage {
        repository: "mariadb",
        process: "mariadbd",
        ports: &[(TCP, 3306)],
        page: None,
    },
    KnownImage {
        repository: "mongo",
        process: "mongod",
        ports: &[(TCP, 27017)],
        page: None,
    },
    KnownImage {
        repository: "memcached",
        process: "memcached",
        ports: &[(TCP, 11211)],
        page: None,
    },
    KnownImage {
        repository: "rabbitmq",
        process: "rabbitmq",
        ports: &[(TCP, 5672)],
        page: None,
    },
];

/// Images that only wait or run a shell: they listen on nothing by themselves.
pub(super) static QUIET: &[&str] = &[
    "busybox",
    "netshoot",
    "curl",
    "alpine",
    "pause",
    "ubuntu",
    "debian",
    "bash",
    "kubectl",
    "jessie-dnsutils",
];

/// The last part of an image's repository, without registry, tag and digest: `registry.k8s.io/coredns/coredns:v1.14.0`
/// is `coredns`.
pub fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split(':').next().unwrap_or(last)
}

/// What the table says of an image.
pub(super) fn known(image: &str) -> Option<&'static KnownImage> {
    let name = repository(image);
    KNOWN.iter().find(|known| known.repository == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_without_registry_tag_and_digest() {
        assert_eq!(repository("nginx"), "nginx");
        assert_eq!(repository("registry.example:5000/team/nginx:1.27"), "nginx");
        assert_eq!(
            repository("registry.k8s.io/coredns/coredns:v1.14.0@sha256:ab"),
            "coredns"
        );
    }
}
