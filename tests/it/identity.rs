//! Who asks and where: the region of a bucket that nobody configured, keys by web identity, keys from the instance.
//!
//! moto makes the keys and then checks who signs with them: its STS gives keys of a role, and once it is told to check, it
//! refuses others, a wrong signature and a wrong session token.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use sterna_servers::{Fault, Proxy, S3Server, moto, moto_of_my_own};

use crate::sterna::{Ran, Sterna};

/// Any request to moto, which believes every signature; the body of the answer.
fn ask(server: &S3Server, method: &str, path: &str, (service, content_type): (&str, &str), body: &str) -> String {
    let address = server.endpoint.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address).expect("a running server");
    let region = if service == "s3" { "eu-central-1" } else { "us-east-1" };
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nContent-Type: {content_type}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=moto-key/20260101/{region}/{service}/aws4_request, \
         SignedHeaders=host, Signature=00\r\nConnection: close\r\n\r\n{body}"
    )
    .expect("a server that reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("a server that answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{method} {path} {body}\n{answer}");
    answer.split_once("\r\n\r\n").expect("a head").1.to_owned()
}

/// A bucket in Frankfurt.
fn bucket_in_frankfurt(server: &S3Server, name: &str) {
    let body = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                <LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    ask(server, "PUT", &format!("/{name}"), ("s3", "application/xml"), body);
}

/// The regions that requests were signed for, in order, each once.
fn regions(heads: &[String]) -> Vec<String> {
    let scope = |head: &String| {
        let (_, rest) = head.split_once("Credential=").or_else(|| head.split_once("credential="))?;
        rest.split('/').nth(2).map(str::to_owned)
    };
    let mut regions: Vec<String> = heads.iter().filter_map(scope).collect();
    regions.dedup();
    regions
}

#[test]
fn the_region_of_a_bucket_is_found() {
    let server = moto();
    bucket_in_frankfurt(server, "found-in-frankfurt");
    let proxy = Proxy::new(&server.endpoint, |_, _, _| None);
    let sterna = Sterna::new();
    sterna.tree("src");
    let keys = "access_key_id = \"moto-key\"\nsecret_access_key = \"moto-secret\"\npath_style = true\n";
    sterna.config(&format!("[remote.aws]\ntype = \"s3\"\nprovider = \"aws\"\nendpoint = \"{}\"\n{keys}", proxy.url));
    sterna.run(&["sync", "src", "aws:found-in-frankfurt"]).exits(0);
    assert_eq!(regions(&proxy.heads()), ["eu-central-1"], "no request is signed for another region");
    sterna.run(&["check", "src", "aws:found-in-frankfurt"]).exits(0);
    // The question itself is no secret: it is not signed.
    let heads = proxy.heads();
    assert!(heads[0].starts_with("HEAD /found-in-frankfurt") && !heads[0].contains("Credential="), "{}", heads[0]);
}

/// As Amazon answers a GET that is signed for another region; moto takes every region.
const ELSEWHERE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>AuthorizationHeaderMalformed</Code><Message>The \
    authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'</Message><Region>eu-central-1\
    </Region><RequestId>1</RequestId></Error>";

#[test]
fn a_server_that_names_the_region_is_believed_where_nobody_named_one() {
    let server = moto();
    bucket_in_frankfurt(server, "told-of-frankfurt");
    let elsewhere = |_: &str, head: &str, _: usize| {
        (!head.contains("/eu-central-1/s3/")).then(|| Fault::Say(400, ELSEWHERE.to_owned()))
    };
    let proxy = Proxy::new(&server.endpoint, elsewhere);
    let sterna = Sterna::new();
    sterna.tree("src");
    let keys = "access_key_id = \"moto-key\"\nsecret_access_key = \"moto-secret\"\npath_style = true\n";
    sterna.config(&format!("[remote.own]\ntype = \"s3\"\nendpoint = \"{}\"\n{keys}", proxy.url));
    sterna.run(&["sync", "src", "own:told-of-frankfurt"]).exits(0);
    assert_eq!(regions(&proxy.heads()), ["us-east-1", "eu-central-1"]);
    sterna.run(&["check", "src", "own:told-of-frankfurt"]).exits(0);
    // So it is where the provider was named, as one nobody knows.
    let named = "[remote.named]\ntype = \"s3\"\nprovider = \"other\"";
    sterna.config(&format!("{named}\nendpoint = \"{}\"\n{keys}", proxy.url));
    sterna.run(&["check", "src", "named:told-of-frankfurt"]).exits(0);
    // A region that somebody did name is not overruled: the message says which it is.
    sterna.config(&format!(
        "[remote.wrong]\ntype = \"s3\"\nregion = \"us-west-2\"\nendpoint = \"{}\"\n{keys}",
        proxy.url
    ));
    sterna.run(&["ls", "wrong:told-of-frankfurt"]).exits(2).says("eu-central-1");
}

/// A moto that checks who signs, with a role whose keys may do everything.
struct Guarded {
    server: S3Server,
    sterna: Sterna,
}

impl Guarded {
    fn new() -> Self {
        let server = moto_of_my_own();
        let iam = |body: &str| ask(&server, "POST", "/", ("iam", "application/x-www-form-urlencoded"), body);
        let anyone = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
                      %22Principal%22%3A%22*%22%2C%22Action%22%3A%22*%22%7D%5D%7D";
        let all = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
                   %22Action%22%3A%22*%22%2C%22Resource%22%3A%22*%22%7D%5D%7D";
        iam(&format!("Action=CreateRole&Version=2010-05-08&RoleName=tern&AssumeRolePolicyDocument={anyone}"));
        iam(&format!("Action=PutRolePolicy&Version=2010-05-08&RoleName=tern&PolicyName=all&PolicyDocument={all}"));
        bucket_in_frankfurt(&server, "guarded");
        let sterna = Sterna::new();
        sterna.tree("src");
        sterna.config(&format!(
            "[remote.guarded]\ntype = \"s3\"\nprovider = \"aws\"\nendpoint = \"{}\"\nregion = \"eu-central-1\"\n\
             path_style = true\n",
            server.endpoint
        ));
        Self { server, sterna }
    }

    /// So many more calls are anybody's; from then on moto checks.
    fn check_after(&self, calls: usize) {
        ask(&self.server, "POST", "/moto-api/reset-auth", ("s3", "text/plain"), &calls.to_string());
    }

    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = self.sterna.command(arguments);
        command.envs(variables.iter().copied());
        command
    }
}

const ROLE: &str = "arn:aws:iam::123456789012:role/tern";

fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once('<').expect("its end").0.to_owned()
}

#[test]
fn keys_by_web_identity() {
    let guarded = Guarded::new();
    let token = guarded.sterna.file("token", "a-token-of-the-cluster");
    let web = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().expect("UTF-8")),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ROLE_SESSION_NAME", "sterna-test"),
        ("AWS_ENDPOINT_URL_STS", guarded.server.endpoint.as_str()),
        ("AWS_REGION", "eu-central-1"),
    ];
    // The first call is STS's, which nobody can sign; every later one has to be the role's.
    for arguments in [&["sync", "src", "guarded:guarded"][..], &["check", "src", "guarded:guarded"]] {
        guarded.check_after(1);
        Ran::of(guarded.command(arguments, &web)).exits(0);
    }
    // Who has no keys, or others, is refused by the same server.
    guarded.check_after(0);
    let wrong = [("AWS_ACCESS_KEY_ID", "AKIAWRONG"), ("AWS_SECRET_ACCESS_KEY", "wrong")];
    Ran::of(guarded.command(&["ls", "guarded:guarded"], &wrong)).exits(1).says("InvalidAccessKeyId");
    let nobody = [("AWS_EC2_METADATA_DISABLED", "true")];
    Ran::of(guarded.command(&["ls", "guarded:guarded"], &nobody)).exits(2).says("no credentials were found");
}

/// The metadata service of an instance, version 2: a session token has to be put for first. Counts what it gives away.
fn instance(keys: String) -> (String, Arc<Mutex<Vec<String>>>) {
    const TOKEN: &str = "a-session-of-the-instance";
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&asked);
    thread::spawn(move || {
        for mut visitor in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && visitor.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
            let line = head.lines().next().unwrap_or_default().to_owned();
            let known = head.contains(&format!("x-aws-ec2-metadata-token: {TOKEN}"));
            let (status, body) = match line.split(' ').nth(1).unwrap_or_default() {
                "/latest/api/token" if line.starts_with("put ") => (200, TOKEN),
                _ if !known => (401, ""),
                "/latest/meta-data/iam/security-credentials/" | "/latest/meta-data/iam/security-credentials" => {
                    (200, "tern")
                }
                "/latest/meta-data/iam/security-credentials/tern" => (200, keys.as_str()),
                _ => (404, ""),
            };
            log.lock().expect("no panic").push(format!("{status} {line}"));
            let ttl = "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
            let length = body.len();
            // A visitor that is gone is no concern of ours.
            let _gone = write!(
                visitor,
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{ttl}Connection: close\r\n\r\n{body}"
            );
        }
    });
    (url, asked)
}

#[test]
fn keys_from_the_instance() {
    let guarded = Guarded::new();
    let body = format!("Action=AssumeRole&Version=2011-06-15&RoleArn={ROLE}&RoleSessionName=instance");
    let keys = ask(&guarded.server, "POST", "/", ("sts", "application/x-www-form-urlencoded"), &body);
    let [id, secret, token, expiry] =
        ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"].map(|name| element(&keys, name));
    let (url, asked) = instance(format!(
        "{{\"Code\": \"Success\", \"LastUpdated\": \"2026-01-01T00:00:00Z\", \"Type\": \"AWS-HMAC\", \"AccessKeyId\": \
         \"{id}\", \"SecretAccessKey\": \"{secret}\", \"Token\": \"{token}\", \"Expiration\": \"{expiry}\"}}"
    ));
    guarded.check_after(0);
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str())];
    Ran::of(guarded.command(&["sync", "src", "guarded:guarded"], &variables)).exits(0);
    let asked = asked.lock().expect("no panic").clone();
    let given = asked.iter().filter(|line| line.contains("security-credentials/tern")).count();
    assert_eq!(given, 1, "the keys are asked for once a run: {asked:?}");
    assert!(asked.iter().all(|line| line.starts_with("200")), "{asked:?}");
    Ran::of(guarded.command(&["check", "src", "guarded:guarded"], &variables)).exits(0);
}
