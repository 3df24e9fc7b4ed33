//! What differs between servers that all speak S3, as data.
//!
//! A row is what we rely on before a request was made; what a server then answers counts more (a checksum header
//! that it refuses is not sent again, a delete in bulk that it lacks is made one by one). "Not measured" marks a
//! fact taken from documentation or from reports only.

use crate::{
    capability::{KeyRules, Order},
    entry::Algorithm,
};

/// One kind of server.
#[derive(Debug)]
pub(super) struct Provider {
    /// The word in `provider = "…"`.
    pub name: &'static str,
    /// The endpoint, `{region}` standing for the region; `None`: it must be given.
    pub endpoint: Option<&'static str>,
    /// How the host of an endpoint ends that is this provider's.
    pub domain: Option<&'static str>,
    /// The region where none is given; `None`: it must be given, or found.
    pub region: Option<&'static str>,
    /// Buckets in the path rather than in the host name.
    pub path_style: bool,
    /// Whether listings are trusted to come by the bytes of the keys.
    pub order: Order,
    /// Whether `x-amz-checksum-sha256` is taken on a put.
    pub checksums: Taken,
    /// The checksum that parts may carry once the upload was begun with that algorithm, and that the server verifies.
    pub part_checksum: Option<Algorithm>,
    /// `DeleteObjects` wants `Content-MD5` instead of the SDK's CRC32.
    pub delete_md5: bool,
    /// Keys one `DeleteObjects` takes; 1: it has none.
    pub delete_batch: usize,
    /// Whether `If-None-Match: *` and `If-Match` on a put are kept.
    pub conditional: bool,
    /// Deleting hides even where nobody switched versions on.
    pub hides: bool,
    /// Which keys it holds unchanged.
    pub keys: KeyRules,
    /// Whether a 32-digit `ETag` of a plain put is its MD5, as far as encryption allows.
    pub etag_is_md5: bool,
    /// How its `Server` header starts, where that tells.
    pub server: Option<&'static str>,
}

/// Whether a header is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Documented or measured.
    Yes,
    /// Tried; not sent again after a refusal.
    Try,
    /// Refused, or ignored.
    No,
}

/// A server that takes what Amazon's documentation of S3 promised around 2015.
const PLAIN: Provider = Provider {
    name: "other",
    endpoint: None,
    domain: None,
    region: Some("us-east-1"),
    path_style: true,
    order: Order::Unknown,
    checksums: Taken::Try,
    part_checksum: None,
    delete_md5: true,
    delete_batch: 1000,
    conditional: false,
    hides: false,
    keys: KeyRules::ANY,
    etag_is_md5: true,
    server: None,
};

/// Every provider we know; the last is for servers we know nothing of.
pub(super) static PROVIDERS: &[Provider] = &[
    // https://docs.aws.amazon.com/general/latest/gr/s3.html; order:
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html (general purpose buckets);
    // conditions: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    Provider {
        name: "aws",
        endpoint: Some("https://s3.{region}.amazonaws.com"),
        domain: Some(".amazonaws.com"),
        region: None,
        path_style: false,
        order: Order::Bytes,
        checksums: Taken::Yes,
        part_checksum: Some(Algorithm::Crc64Nvme),
        delete_md5: false,
        conditional: true,
        ..PLAIN
    },
    // https://docs.wasabi.com/docs/what-are-the-service-urls-for-wasabi-s-different-storage-regions. Clients that
    // began to send checksum headers broke there in 2025 (not measured); the signed payload hash is verified.
    Provider {
        name: "wasabi",
        endpoint: Some("https://s3.{region}.wasabisys.com"),
        domain: Some(".wasabisys.com"),
        path_style: false,
        order: Order::Bytes,
        checksums: Taken::No,
        ..PLAIN
    },
    // https://www.backblaze.com/docs/cloud-storage-s3-compatible-api. It answered "Unsupported header
    // 'x-amz-checksum-crc32'" (reports of 2025, not measured). Buckets always keep versions, so deleting hides.
    Provider {
        name: "b2",
        endpoint: Some("https://s3.{region}.backblazeb2.com"),
        domain: Some(".backblazeb2.com"),
        region: None,
        path_style: false,
        order: Order::Bytes,
        checksums: Taken::No,
        hides: true,
        ..PLAIN
    },
    // https://garagehq.deuxfleurs.fr/documentation/reference-manual/s3-compatibility/. Virtual hosts need
    // `root_domain` on the server, hence paths by default.
    Provider { name: "garage", region: Some("garage"), order: Order::Bytes, ..PLAIN },
    // https://developers.cloudflare.com/r2/api/s3/api/. The endpoint holds the account, so it must be given.
    Provider {
        name: "r2",
        domain: Some(".r2.cloudflarestorage.com"),
        region: Some("auto"),
        order: Order::Bytes,
        conditional: true,
        ..PLAIN
    },
    // https://docs.digitalocean.com/reference/api/spaces/. A Ceph of its own age.
    Provider {
        name: "digitalocean",
        endpoint: Some("https://{region}.digitaloceanspaces.com"),
        domain: Some(".digitaloceanspaces.com"),
        region: None,
        path_style: false,
        order: Order::Bytes,
        checksums: Taken::No,
        ..PLAIN
    },
    // https://docs.hetzner.com/storage/object-storage/. Ceph.
    Provider {
        name: "hetzner",
        endpoint: Some("https://{region}.your-objectstorage.com"),
        domain: Some(".your-objectstorage.com"),
        region: None,
        path_style: false,
        order: Order::Bytes,
        ..PLAIN
    },
    // https://docs.ceph.com/en/latest/radosgw/s3/. Its bucket index orders by bytes.
    Provider { name: "ceph", order: Order::Bytes, server: Some("Ceph"), ..PLAIN },
    // https://min.io/docs/minio/linux/reference/s3-api-compatibility.html.
    // A name of a path is a name of a file there: `.`, `..` and empty segments are refused (not measured).
    Provider {
        name: "minio",
        order: Order::Bytes,
        checksums: Taken::Yes,
        conditional: true,
        keys: KeyRules { empty_segments: false, dot_segments: false, ..KeyRules::ANY },
        server: Some("MinIO"),
        ..PLAIN
    },
    // Measured with 4.48: `a//b` becomes `a/b`, a leading `/` is dropped, `a/` loses its bytes, segments `.` and
    // `..` are refused, `\` becomes `/`, and a listing walks a tree (`a`, `a/b`, `a!`). A wrong checksum of any kind
    // is answered with `BadDigest`, of a part too; the payload's hash in the signature is not looked at.
    Provider {
        name: "seaweedfs",
        checksums: Taken::Yes,
        // It computes CRC-64 without the processor's help: 1.5 s of its time for 2 GiB.
        part_checksum: Some(Algorithm::Crc32c),
        conditional: true,
        keys: KeyRules {
            max_segment: 255,
            empty_segments: false,
            dot_segments: false,
            backslash: false,
            ..KeyRules::ANY
        },
        server: Some("SeaweedFS"),
        ..PLAIN
    },
    // https://storj.dev/dcs/api/s3/s3-compatibility. Keys are listed in the order of their encrypted form.
    Provider { name: "storj", endpoint: Some("https://gateway.storjshare.io"), region: Some("global"), ..PLAIN },
    PLAIN,
];

/// The row for servers we know nothing of.
pub(super) fn other() -> &'static Provider {
    PROVIDERS.last().expect("the table is not empty")
}

/// The row of that name; some have second names.
pub(super) fn named(name: &str) -> Option<&'static Provider> {
    let name = match name {
        "cloudflare" => "r2",
        "backblaze" => "b2",
        "amazon" => "aws",
        "spaces" => "digitalocean",
        "generic" => "other",
        name => name,
    };
    PROVIDERS.iter().find(|provider| provider.name == name)
}

/// The row a `Server` header gives away.
pub(super) fn by_server(header: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.server.is_some_and(|start| header.starts_with(start)))
}

/// The row whose customers' endpoints end so.
pub(super) fn by_host(host: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.domain.is_some_and(|domain| host.ends_with(domain)))
}

impl Provider {
    /// The region an endpoint's `host` names, where the provider's endpoints do.
    pub fn region_of<'a>(&self, host: &'a str) -> Option<&'a str> {
        let (before, after) = self.endpoint?.strip_prefix("https://")?.split_once("{region}")?;
        let region = host.strip_prefix(before)?.strip_suffix(after)?;
        (!region.is_empty()).then_some(region)
    }

    /// The endpoint of `region`, where the provider has one for all customers.
    pub fn endpoint(&self, region: &str) -> Option<String> {
        let endpoint = self.endpoint?.replace("{region}", region);
        // https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-arns.html
        let china = self.name == "aws" && region.starts_with("cn-");
        Some(if china { format!("{endpoint}.cn") } else { endpoint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_named_and_only_once() {
        for provider in PROVIDERS {
            assert!(std::ptr::eq(named(provider.name).unwrap(), provider), "{} stands twice", provider.name);
            assert!(provider.delete_batch >= 1 && provider.delete_batch <= 1000);
        }
        assert_eq!(named("cloudflare").unwrap().name, "r2");
        assert!(named("nobody").is_none());
    }

    #[test]
    fn endpoints_follow_the_region() {
        let endpoint = |name, region| named(name).unwrap().endpoint(region);
        assert_eq!(endpoint("wasabi", "eu-central-1").as_deref(), Some("https://s3.eu-central-1.wasabisys.com"));
        assert_eq!(endpoint("aws", "cn-north-1").as_deref(), Some("https://s3.cn-north-1.amazonaws.com.cn"));
        assert_eq!(endpoint("garage", "garage"), None);
        let b2 = by_host("s3.us-west-004.backblazeb2.com").unwrap();
        assert_eq!((b2.name, b2.region_of("s3.us-west-004.backblazeb2.com")), ("b2", Some("us-west-004")));
        assert!(by_host("s3.example.org").is_none());
    }

    #[test]
    fn servers_give_themselves_away() {
        assert_eq!(by_server("SeaweedFS 30GB 4.48").unwrap().name, "seaweedfs");
        assert_eq!(by_server("MinIO").unwrap().name, "minio");
        assert!(by_server("AmazonS3").is_none(), "others say so, too");
    }
}
