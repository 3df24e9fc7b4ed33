//! The suite against every store and every layer: one line each.
#![cfg(feature = "conformance")]

use std::{sync::Arc, time::Duration};

use sterna_backends::{
    ErrorKind, Operation, Store,
    conformance::{Options, Outcome, Report, run},
    layer::{
        Bandwidth, Fault, Faults, Limit, Meter, Pace, PaceSettings, Pacer, Prefix, ReadOnly, Retry, RetrySettings,
        Rule, Timetable, What, When,
    },
    memory::{Behaviour, Memory},
    registry,
};

fn memory(behaviour: Behaviour) -> Arc<dyn Store> {
    Arc::new(Memory::with("conformance", behaviour))
}

fn strict() -> Arc<dyn Store> {
    memory(Behaviour::strict().paged(7))
}

/// The same prefix in every run, so that faults, which depend on keys, are the same.
fn options() -> Options {
    Options { prefix: "conformance/".to_owned(), ..Options::default() }
}

/// Runs the suite; every guarantee holds and nothing is left behind.
async fn conforms(store: Arc<dyn Store>) -> Report {
    let report = run(store, options()).await;
    assert!(report.is_clean(), "{report}");
    report
}

macro_rules! conform {
    ($($name:ident: $store:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            conforms($store).await;
        }
    )*};
}

// Stores.
conform! {
    memory_strict: strict();
    memory_as_s3: memory(Behaviour::s3().paged(7));
    memory_versioned: memory(Behaviour::versioned().paged(3));
    memory_as_directory: memory(Behaviour::directory().paged(7));
    memory_bare: memory(Behaviour::bare().paged(1));
}

// Layers.
conform! {
    prefix: Arc::new(Prefix::new(strict(), "below/"));
    prefix_without_slash: Arc::new(Prefix::new(strict(), "text"));
    prefix_of_a_directory: Arc::new(Prefix::new(memory(Behaviour::directory()), "below/it/"));
    retry: Arc::new(Retry::new(strict(), quick()));
    limit: Arc::new(Limit::new(strict(), bandwidth("4G")));
    pace: paced(memory(Behaviour::s3().paged(7)), PaceSettings { in_flight: 1, ..PaceSettings::default() });
    meter: Arc::new(Meter::new(strict()));
    readonly: Arc::new(ReadOnly::new(strict()));
    fault_without_faults: Arc::new(Fault::new(strict(), Faults::default()));
    all_layers: stack(memory(Behaviour::s3().paged(7)));
    retry_around_faults: Arc::new(Retry::new(flaky(memory(Behaviour::s3().paged(7))), quick()));
}

/// A local directory: the family as the registry opens it.
#[tokio::test]
async fn local() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let family = registry::family("local").unwrap();
    let opened = registry::Remote::new("local", family, Default::default()).unwrap().open(path).await.unwrap();
    let store: Arc<dyn Store> = match opened.prefix.as_str() {
        "" => opened.store,
        prefix => Arc::new(Prefix::new(opened.store, format!("{}/", prefix.trim_end_matches('/')))),
    };
    conforms(store).await;
}

/// A fresh bucket of a real server, as the registry opens it.
#[cfg(feature = "s3")]
async fn bucket(server: &sterna_servers::S3Server) -> Arc<dyn Store> {
    let text = |value: &str| registry::Value::Text(value.to_owned());
    let options = [
        ("provider", text(server.provider)),
        ("endpoint", text(&server.endpoint)),
        ("region", text("us-east-1")),
        ("path_style", text("true")),
        ("access_key_id", text(&server.access_key)),
        ("secret_access_key", text(&server.secret_key)),
    ];
    let options = options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let family = registry::family("s3").expect("the feature is on");
    let remote = registry::Remote::new("s3", family, options).expect("the family knows these options");
    remote.open(&server.bucket("conformance")).await.expect("a bucket that was just made").store
}

/// Runs the suite against a server that is known to break the guarantees `always`, those of `at_times` depending on
/// how requests meet, and no others.
#[cfg(any(
    feature = "s3",
    feature = "webdav",
    feature = "ftp",
    feature = "sftp",
    feature = "ipfs",
    feature = "azure",
    feature = "gcs"
))]
async fn conforms_but_for(store: Arc<dyn Store>, always: &[&str], at_times: &[&str]) {
    let report = run(store, options()).await;
    let broken: Vec<_> = report.broken().map(|check| check.name).filter(|name| !at_times.contains(name)).collect();
    assert_eq!(broken, always, "{report}");
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn s3_seaweedfs() {
    conforms_but_for(bucket(sterna_servers::seaweedfs()).await, &[], &[]).await;
}

/// rclone's server (1.75) writes through to plain files: it refuses keys it does not name beforehand, lets readers see
/// an overwrite, takes a part once only, and knows neither conditions nor copies of parts.
#[cfg(feature = "s3")]
#[tokio::test]
async fn s3_rclone() {
    let always = ["keys.exact", "keys.beside", "parts.assembled", "copy.conditions", "copy.parts"];
    conforms_but_for(bucket(sterna_servers::rclone_s3()).await, &always, &["put.never_torn"]).await;
}

/// moto (5.2) answers 404 to a line break in a key and 500 to a part of an upload that is gone, and copies whatever the
/// condition says.
#[cfg(feature = "s3")]
#[tokio::test]
async fn s3_moto() {
    let always = ["keys.exact", "parts.aborted", "copy.conditions"];
    conforms_but_for(bucket(sterna_servers::moto()).await, &always, &[]).await;
}

/// A fresh bucket of Backblaze B2, as the registry opens it.
#[cfg(feature = "b2")]
async fn b2_bucket(hard_delete: bool) -> Arc<dyn Store> {
    let server = sterna_servers::backblaze();
    let text = |value: &str| registry::Value::Text(value.to_owned());
    let options = [
        ("endpoint", text(&server.endpoint)),
        ("application_key_id", text(&server.key_id)),
        ("application_key", text(&server.key)),
        ("hard_delete", text(if hard_delete { "true" } else { "false" })),
    ];
    let options = options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let family = registry::family("b2").expect("the feature is on");
    let remote = registry::Remote::new("b2", family, options).expect("the family knows these options");
    remote.open(&server.bucket("conformance")).await.expect("a bucket that was just made").store
}

#[cfg(feature = "b2")]
#[tokio::test]
async fn b2_hiding() {
    conforms(b2_bucket(false).await).await;
}

#[cfg(feature = "b2")]
#[tokio::test]
async fn b2_destroying() {
    conforms(b2_bucket(true).await).await;
}

/// A fresh folder of a real server, as the registry opens it.
#[cfg(feature = "webdav")]
async fn folder(url: String, extra: &[(&str, &str)]) -> Arc<dyn Store> {
    let text = |value: &str| registry::Value::Text(value.to_owned());
    let url = [("url", url.as_str())];
    let options = url.iter().chain(extra).map(|(name, value)| ((*name).to_owned(), text(value))).collect();
    let family = registry::family("webdav").expect("the feature is on");
    let remote = registry::Remote::new("dav", family, options).expect("the family knows these options");
    remote.open("").await.expect("a folder that was just made").store
}

/// Apache (2.4) at times ends an answer early that it began before the object was replaced; the reader is told.
#[cfg(feature = "webdav")]
#[tokio::test]
async fn webdav_apache() {
    let store = folder(sterna_servers::apache().folder("conformance"), &[]).await;
    conforms_but_for(store, &[], &["put.never_torn"]).await;
}

#[cfg(feature = "webdav")]
#[tokio::test]
async fn webdav_apache_one_level_at_a_time() {
    let url = sterna_servers::apache().folder("flat/conformance");
    conforms_but_for(folder(url, &[("vendor", "apache")]).await, &[], &["put.never_torn"]).await;
}

/// rclone (1.75) at times cuts an object short for who reads it while it is replaced.
#[cfg(feature = "webdav")]
#[tokio::test]
async fn webdav_rclone() {
    conforms_but_for(
        folder(sterna_servers::rclone_webdav().folder("conformance"), &[]).await,
        &[],
        &["put.never_torn"],
    )
    .await;
}

/// SeaweedFS (4.48) keeps the `ETag` of what is written anew within the same second; and to replace an object it removes it
/// first.
#[cfg(feature = "webdav")]
#[tokio::test]
async fn webdav_seaweedfs() {
    conforms_but_for(
        folder(sterna_servers::seaweedfs_webdav().0.folder("conformance"), &[]).await,
        &["read.if_match", "copy.conditions"],
        &["put.never_torn"],
    )
    .await;
}

/// nginx (1.22) tells an ETag where an object is read and none where it is listed, and does not list names that start with a dot.
#[cfg(feature = "webdav")]
#[tokio::test]
async fn webdav_nginx() {
    let store = folder(sterna_servers::nginx().folder("conformance"), &[]).await;
    conforms_but_for(store, &["read.whole", "keys.exact"], &[]).await;
}

/// lighttpd (1.4.69) refuses control characters in names.
#[cfg(feature = "webdav")]
#[tokio::test]
async fn webdav_lighttpd() {
    conforms_but_for(folder(sterna_servers::lighttpd().folder("conformance"), &[]).await, &["keys.exact"], &[]).await;
}

/// WsgiDAV (4.3.5) reads the name something is moved to otherwise: it ends it at a `?` or `;`, and drops tabs and line breaks; and to replace an object it removes it first.
#[cfg(feature = "webdav")]
#[tokio::test]
async fn webdav_wsgidav() {
    let store = folder(sterna_servers::wsgidav().folder("conformance"), &[]).await;
    conforms_but_for(store, &["keys.exact"], &["put.never_torn"]).await;
}

/// Nextcloud's uploads in parts, as its documentation tells them: Apache keeps the parts, and what stands before it puts
/// them together. That shows that our half follows the documentation, not that Nextcloud does.
#[cfg(feature = "webdav")]
#[tokio::test]
async fn webdav_parts_as_nextcloud_documents_them() {
    use sterna_servers::{Fault, Proxy};
    let server = sterna_servers::apache();
    let cloud = server.folder("cloud");
    let disk = server.on_disk(&cloud);
    for folder in ["uploads/tern", "files/tern"] {
        std::fs::create_dir_all(disk.join("remote.php/dav").join(folder)).unwrap();
    }
    let path = cloud.strip_prefix(&server.url).unwrap().to_owned();
    let root = path.clone();
    let proxy = Proxy::new(&server.url, move |method, head, _| {
        let line = head.lines().next()?;
        let upload = line.split(' ').nth(1)?.strip_suffix("/.file").filter(|_| method == "MOVE")?;
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let on_disk = |path: &str| {
            let path = path.strip_prefix(&root).expect("below the cloud");
            disk.join(percent_encoding::percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy().as_ref())
        };
        let destination = header("destination")?.splitn(4, '/').nth(3).map(|path| on_disk(&format!("/{path}")))?;
        let parts = on_disk(upload);
        let mut names: Vec<_> = std::fs::read_dir(&parts).ok()?.flatten().map(|part| part.path()).collect();
        names.sort();
        let whole: Vec<u8> = names.iter().flat_map(|part| std::fs::read(part).unwrap_or_default()).collect();
        if header("oc-total-length")?.parse() != Ok(whole.len()) {
            return Some(Fault::Answer(400, String::new()));
        }
        let beside = destination.with_extension("assembling");
        std::fs::write(&beside, whole).and_then(|()| std::fs::rename(&beside, &destination)).ok()?;
        std::fs::remove_dir_all(parts).ok()?;
        Some(Fault::Answer(201, String::new()))
    });
    let url = format!("{}{path}/remote.php/dav/files/tern", proxy.url);
    let options = [("vendor", "nextcloud"), ("times", "none"), ("user", "tern"), ("password", "any")];
    let report = run(folder(url, &options).await, self::options()).await;
    let of_parts = report.checks.iter().filter(|check| check.name.starts_with("parts."));
    assert_eq!(of_parts.clone().filter(|check| matches!(check.outcome, Outcome::Held)).count(), 6, "{report}");
    let broken: Vec<_> = report.broken().map(|check| check.name).filter(|name| *name != "put.never_torn").collect();
    assert!(broken.is_empty(), "{report}");
}

/// A store as the registry opens it, with options as text.
#[cfg(any(feature = "ftp", feature = "sftp", feature = "ipfs", feature = "azure", feature = "gcs"))]
async fn opened(family: &str, options: &[(&str, &str)], path: &str) -> Arc<dyn Store> {
    let text = |value: &str| registry::Value::Text(value.to_owned());
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
    let family = registry::family(family).expect("the feature is on");
    let remote = registry::Remote::new("remote", family, options).expect("the family knows these options");
    remote.open(path).await.expect("the options fit").store
}

/// A fresh folder of an FTP server, plain or under TLS.
#[cfg(feature = "ftp")]
async fn ftp(server: &sterna_servers::FtpServer, tls: bool, extra: &[(&str, &str)]) -> Arc<dyn Store> {
    let (root, port) = (server.folder("conformance"), server.port.to_string());
    let certificate = server.certificate.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let mut options = vec![
        ("host", "127.0.0.1"),
        ("port", &port),
        ("user", server.user),
        ("password", server.password),
        ("root", &root),
    ];
    if tls {
        options.extend([("tls", "explicit"), ("ca_file", &certificate)]);
    }
    options.extend(extra);
    opened("ftp", &options, "").await
}

#[cfg(feature = "ftp")]
#[tokio::test]
async fn ftp_proftpd() {
    conforms_but_for(ftp(sterna_servers::proftpd(), false, &[]).await, &[], &[]).await;
}

#[cfg(feature = "ftp")]
#[tokio::test]
async fn ftp_proftpd_under_tls() {
    conforms_but_for(ftp(sterna_servers::proftpd(), true, &[]).await, &[], &[]).await;
}

#[cfg(feature = "ftp")]
#[tokio::test]
async fn ftp_pyftpdlib() {
    conforms_but_for(ftp(sterna_servers::pyftpdlib(), false, &[("passive", "pasv")]).await, &[], &[]).await;
}

#[cfg(feature = "ftp")]
#[tokio::test]
async fn ftp_pyftpdlib_under_tls() {
    conforms_but_for(ftp(sterna_servers::pyftpdlib(), true, &[]).await, &[], &[]).await;
}

/// Listings for people, by another server.
#[cfg(feature = "ftp")]
#[tokio::test]
async fn ftp_proftpd_listed_for_people() {
    conforms_but_for(ftp(sterna_servers::proftpd(), false, &[("listing", "list")]).await, &[], &[]).await;
}

#[cfg(feature = "ftp")]
#[tokio::test]
async fn ftp_vsftpd() {
    conforms_but_for(ftp(sterna_servers::vsftpd(), false, &[("times", "mdtm")]).await, &[], &[]).await;
}

#[cfg(feature = "ftp")]
#[tokio::test]
async fn ftp_vsftpd_under_tls() {
    conforms_but_for(ftp(sterna_servers::vsftpd(), true, &[]).await, &[], &[]).await;
}

/// rclone (1.75) at times cuts an object short for who reads it while it is replaced.
#[cfg(feature = "ftp")]
#[tokio::test]
async fn ftp_rclone() {
    conforms_but_for(ftp(sterna_servers::rclone_ftp(), false, &[]).await, &[], &["put.never_torn"]).await;
}

/// OpenSSH (9.2).
#[cfg(feature = "sftp")]
#[tokio::test]
async fn sftp_openssh() {
    sftp("conformance", "true").await;
}

/// Parts of an upload are read back before it goes on.
#[cfg(feature = "sftp")]
#[tokio::test]
async fn sftp_openssh_unflushed() {
    sftp("conformance-unflushed", "false").await;
}

#[cfg(feature = "sftp")]
async fn sftp(folder: &str, fsync: &str) {
    let server = sterna_servers::sshd();
    let (root, key) = (server.folder(folder), server.key.display().to_string());
    let options = [
        ("endpoint", server.endpoint()),
        ("key", key),
        ("root", root.display().to_string()),
        ("known_hosts_strategy", "Accept".to_owned()),
        ("fsync", fsync.to_owned()),
    ];
    let options = options.each_ref().map(|(name, value)| (*name, value.as_str()));
    conforms(opened("sftp", &options, "").await).await;
}

/// js-ipfs (0.66.1) takes `^` in a path for a `/` and cuts a byte order mark off a name; both are noticed before anything has
/// its name. It moves nothing over what is there, so an object that is replaced is missing for a moment.
#[cfg(feature = "ipfs")]
#[tokio::test]
async fn ipfs_js() {
    let server = sterna_servers::ipfs();
    let root = server.folder("conformance");
    let options = [("endpoint", server.endpoint.as_str()), ("root", root.as_str())];
    conforms_but_for(opened("ipfs", &options, "").await, &["keys.exact"], &["put.never_torn"]).await;
}

/// Azurite (3.37).
#[cfg(feature = "azure")]
#[tokio::test]
async fn azure_azurite() {
    let server = sterna_servers::azurite();
    let options = [
        ("account_name", server.account),
        ("account_key", server.key),
        ("endpoint", &server.endpoint),
        ("allow_http", "true"),
    ];
    conforms_but_for(opened("azure", &options, &server.container("conformance")).await, &[], &[]).await;
}

/// gcp-storage-emulator (2026.7.19) ignores conditions, so an object may be replaced between the look and the read; the
/// digest tells.
#[cfg(feature = "gcs")]
#[tokio::test]
async fn gcs_emulator() {
    let server = sterna_servers::gcs();
    let options = [("endpoint", server.endpoint.as_str()), ("skip_signature", "true")];
    conforms_but_for(opened("gcs", &options, &server.bucket("conformance")).await, &[], &["put.never_torn"]).await;
}

/// A suite that holds against anything would prove nothing: what breaks is found, by name.
#[tokio::test]
async fn what_is_broken_is_found() {
    let mut behaviour = Behaviour::strict().paged(2);
    behaviour.overlapping_pages = true;
    behaviour.listed = sterna_backends::memory::Listed::Tree;
    let report = run(memory(behaviour), options()).await;
    let broken: Vec<_> = report.broken().map(|check| check.name).collect();
    for name in ["keys.exact", "list.complete", "list.order", "list.prefix", "list.level"] {
        assert!(broken.contains(&name), "{name} is not among {broken:?}");
    }

    let flip = Rule { operation: Some(Operation::Read), when: When::Rate(1.0), what: What::FlipBit };
    let flipped = Fault::new(strict(), Faults { seed: 1, rules: vec![flip], stop_after: None });
    let report = run(Arc::new(flipped), options()).await;
    let broken: Vec<_> = report.broken().map(|check| check.name).collect();
    for name in ["read.whole", "read.ranges", "put.streams", "copy.whole", "parts.assembled"] {
        assert!(broken.contains(&name), "{name} is not among {broken:?}");
    }
}

/// A capability that is claimed and not kept is found; one that is not claimed is not asked for.
#[tokio::test]
async fn capabilities_are_held_against_the_store() {
    let bare = conforms(memory(Behaviour::bare())).await;
    let not_offered = bare.checks.iter().filter(|check| matches!(check.outcome, Outcome::NotOffered(_))).count();
    assert!(not_offered >= 15, "{bare}");

    let strict = conforms(strict()).await;
    assert!(strict.cost.bytes_out < 40 * 1024 * 1024, "{strict}");
    assert!(strict.cost.total() > 100, "{strict}");
}

fn quick() -> RetrySettings {
    RetrySettings { base: Duration::from_micros(10), cap: Duration::from_micros(100), ..RetrySettings::default() }
}

fn bandwidth(text: &str) -> Arc<Bandwidth> {
    Arc::new(Bandwidth::new(text.parse::<Timetable>().expect("the tests write valid rates")))
}

/// Calls without a body fail before they reach the store or are throttled, and bodies that are read break. Calls
/// with a body are left alone: the suite's streams cannot be sent again.
fn flaky(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let operations = [Operation::List, Operation::Stat, Operation::Read, Operation::Copy, Operation::Delete];
    let unavailable = ErrorKind::Unavailable;
    let mut rules = Vec::new();
    for operation in operations.map(Some) {
        rules.push(Rule { operation, when: When::Rate(0.1), what: What::Fail(unavailable) });
        rules.push(Rule { operation, when: When::Rate(0.1), what: What::LoseAnswer(unavailable) });
        let throttle = What::Throttle(Duration::from_micros(50));
        rules.push(Rule { operation, when: When::Rate(0.1), what: throttle });
    }
    let broken = What::BreakBody(unavailable);
    rules.push(Rule { operation: Some(Operation::Read), when: When::Rate(0.3), what: broken });
    Arc::new(Fault::new(inner, Faults { seed: 42, rules, stop_after: None }))
}

fn paced(store: Arc<dyn Store>, settings: PaceSettings) -> Arc<dyn Store> {
    Arc::new(Pace::new(store, Arc::new(Pacer::new(settings))))
}

fn stack(family: Arc<dyn Store>) -> Arc<dyn Store> {
    let metered: Arc<dyn Store> = Arc::new(Meter::new(family));
    let limited: Arc<dyn Store> = Arc::new(Limit::new(metered, bandwidth("4G")));
    let retried: Arc<dyn Store> = Arc::new(Retry::new(paced(limited, PaceSettings::default()), quick()));
    Arc::new(Prefix::new(retried, "prefix/"))
}
