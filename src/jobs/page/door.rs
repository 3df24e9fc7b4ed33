//! Who may look, and who may act.
//!
//! * A request must name a host this server is known by: a page somewhere on the web that has its name point to this machine
//!   (DNS rebinding) is turned away.
//! * To act takes the token: as `Authorization: Bearer`, or once in a form, for which a cookie is given. A form that acts carries a
//!   word that only a page of ours could have read, and must not come from elsewhere.
//! * Where others than this machine can reach it, to look takes the token, too.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use sterna_backends::{Timestamp, secret::Secret};

/// The shortest token, in characters.
pub const SHORTEST_TOKEN: usize = 16;

/// How long somebody stays signed in, in seconds.
const SESSION: i64 = 12 * 3600;

/// Those who are signed in at once; of more the first is forgotten.
const SESSIONS: usize = 64;

/// Why it cannot be opened so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DoorError {
    /// Others than this machine could reach it, and nothing would keep them out.
    #[error("{0} can be reached from other machines: that takes --token-file; or listen on 127.0.0.1")]
    Open(SocketAddr),
    /// A name of its own is for those who come from elsewhere.
    #[error("--allow-host {0} is for those who come from elsewhere: that takes --token-file")]
    Named(String),
    /// The token could be guessed.
    #[error("the token has fewer than {SHORTEST_TOKEN} characters; `openssl rand -hex 32` makes a good one")]
    Guessable,
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    NoLuck(String),
}

/// The door of the page.
pub struct Door {
    port: u16,
    /// Whether only this machine reaches it.
    local: bool,
    hosts: Vec<String>,
    /// The digest of the token: what is compared tells nothing by the time it takes.
    token: Option<[u8; 32]>,
    sessions: Mutex<VecDeque<Session>>,
}

#[derive(Clone)]
struct Session {
    id: String,
    form: String,
    ends: i64,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// May not even look.
    Stranger,
    /// May look.
    Reader,
    /// May act, by forms that carry this word.
    SignedIn(String),
    /// May act: it sent the token itself.
    Bearer,
}

impl Visitor {
    /// Whether he may look.
    #[must_use]
    pub fn may_look(&self) -> bool {
        *self != Self::Stranger
    }
}

impl Door {
    /// A door at `listen`, for those with the token, known by `hosts` besides its address.
    ///
    /// # Errors
    /// Where it would be open to others, or the token is too short.
    pub fn new(listen: SocketAddr, token: Option<&Secret>, hosts: Vec<String>) -> Result<Self, DoorError> {
        let local = listen.ip().is_loopback();
        match token {
            None if !local => return Err(DoorError::Open(listen)),
            None => {
                if let Some(host) = hosts.into_iter().next() {
                    return Err(DoorError::Named(host));
                }
                return Ok(Self {
                    port: listen.port(),
                    local,
                    hosts: Vec::new(),
                    token: None,
                    sessions: Mutex::default(),
                });
            }
            Some(token) if token.reveal().chars().count() < SHORTEST_TOKEN => return Err(DoorError::Guessable),
            Some(_) => {}
        }
        let token = token.map(|token| digest(token.reveal()));
        let hosts = hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        Ok(Self { port: listen.port(), local, hosts, token, sessions: Mutex::default() })
    }

    /// Whether anybody may act.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether to look takes the token.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        !self.local || !self.hosts.is_empty()
    }

    /// Whether a request with these headers means this server.
    #[must_use]
    pub fn is_known_by(&self, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else { return false };
        host.to_str().is_ok_and(|host| self.knows(host))
    }

    fn knows(&self, authority: &str) -> bool {
        let host = host_of(authority).to_ascii_lowercase();
        if self.hosts.contains(&host) || host == "localhost" {
            return true;
        }
        // An address cannot be made to point elsewhere.
        host.parse::<IpAddr>().is_ok_and(|address| !self.local || address.is_loopback())
    }

    /// Who sends these headers.
    #[must_use]
    pub fn visitor(&self, headers: &HeaderMap, now: Timestamp) -> Visitor {
        let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        if let Some(token) = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")) {
            return if self.opens(token.trim()) { Visitor::Bearer } else { self.anybody() };
        }
        let name = self.cookie();
        let id = text(header::COOKIE).and_then(|cookies| {
            cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix(&name)?.strip_prefix('='))
        });
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = id.and_then(|id| sessions.iter().find(|session| same(&session.id, id)));
        match session.filter(|session| session.ends > now.seconds()) {
            Some(session) => Visitor::SignedIn(session.form.clone()),
            None => self.anybody(),
        }
    }

    fn anybody(&self) -> Visitor {
        if self.is_guarded() { Visitor::Stranger } else { Visitor::Reader }
    }

    /// Signs in whoever knows the token: the cookie he gets, `None` where it is not the token.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn sign_in(&self, token: &str, now: Timestamp) -> Result<Option<String>, DoorError> {
        if !self.opens(token.trim()) {
            return Ok(None);
        }
        let session = Session { id: word()?, form: word()?, ends: now.seconds() + SESSION };
        let cookie = format!("{}={}; Path=/; Max-Age={SESSION}; HttpOnly; SameSite=Strict", self.cookie(), session.id);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| session.ends > now.seconds());
        if sessions.len() == SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back(session);
        Ok(Some(cookie))
    }

    /// Forgets the session whose forms carry `form`: the cookie that takes the place of its own.
    #[must_use]
    pub fn sign_out(&self, form: &str) -> String {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| !same(&session.form, form));
        format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", self.cookie())
    }

    /// Whether a form that was sent with these headers and this word may act.
    #[must_use]
    pub fn lets_act(&self, visitor: &Visitor, headers: &HeaderMap, word: Option<&str>) -> bool {
        match visitor {
            Visitor::Bearer => true,
            Visitor::SignedIn(form) => is_from_here(headers) && word.is_some_and(|word| same(form, word)),
            Visitor::Reader | Visitor::Stranger => false,
        }
    }

    fn opens(&self, token: &str) -> bool {
        self.token.is_some_and(|known| known == digest(token))
    }

    /// Cookies know no ports: a second server on this machine has one of its own.
    fn cookie(&self) -> String {
        format!("sterna_{}", self.port)
    }
}

/// Whether the page that sent it, if any, is one of this server's.
pub fn is_from_here(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, origin)| host.is_some_and(|host| host.eq_ignore_ascii_case(origin)))
}

/// A host without its port.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Compares in a time that tells nothing of either.
fn same(a: &str, b: &str) -> bool {
    digest(a) == digest(b)
}

/// 256 random bits as text.
fn word() -> Result<String, DoorError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| DoorError::NoLuck(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn door(listen: &str, hosts: &[&str]) -> Door {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Door::new(listen.parse().unwrap(), Some(&Secret::new(TOKEN)), hosts).unwrap()
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn it_is_never_open_to_others_without_a_token() {
        let new = |listen: &str, hosts: Vec<String>| Door::new(listen.parse().unwrap(), None, hosts).map(|_| ());
        assert_eq!(new("127.0.0.1:1", Vec::new()), Ok(()));
        assert_eq!(new("[::1]:1", Vec::new()), Ok(()));
        assert!(matches!(new("0.0.0.0:1", Vec::new()), Err(DoorError::Open(_))));
        assert!(matches!(new("10.0.0.1:1", Vec::new()), Err(DoorError::Open(_))));
        assert!(matches!(new("127.0.0.1:1", vec!["a.example".to_owned()]), Err(DoorError::Named(_))));
        let short = Door::new("127.0.0.1:1".parse().unwrap(), Some(&Secret::new("short")), Vec::new());
        assert_eq!(short.map(|_| ()), Err(DoorError::Guessable));
    }

    #[test]
    fn only_its_own_names_are_known() {
        let (here, named, open) =
            (door("127.0.0.1:1", &[]), door("127.0.0.1:1", &["Page.example"]), door("0.0.0.0:1", &[]));
        for host in ["localhost", "LOCALHOST:8384", "127.0.0.1:1", "[::1]:1"] {
            assert!(here.knows(host) && named.knows(host) && open.knows(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:1", "10.0.0.1", "", "[::2]"] {
            assert!(!here.knows(host), "{host}");
        }
        assert!(named.knows("page.example:443") && !named.knows("10.0.0.1"));
        assert!(open.knows("10.0.0.1:1") && !open.knows("evil.example"));
        assert!(!here.is_known_by(&HeaderMap::new()));
        assert!(!here.is_known_by(&headers(&[("host", "localhost"), ("host", "localhost")])));
    }

    #[test]
    fn acting_takes_the_token_and_a_form_of_ours() {
        let now = Timestamp::from_parts(1_000, 0);
        let door = door("127.0.0.1:9", &[]);
        assert_eq!(door.visitor(&HeaderMap::new(), now), Visitor::Reader);
        assert_eq!(door.visitor(&headers(&[("authorization", "Bearer wrong")]), now), Visitor::Reader);
        let bearer = format!("Bearer {TOKEN}");
        assert_eq!(door.visitor(&headers(&[("authorization", &bearer)]), now), Visitor::Bearer);
        assert_eq!(door.sign_in("wrong", now), Ok(None));
        let cookie = door.sign_in(TOKEN, now).unwrap().unwrap();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains(TOKEN),
            "{cookie}"
        );
        let sent = cookie.split(';').next().unwrap();
        let mine = headers(&[("cookie", &format!("a=b; {sent}")), ("host", "localhost:9")]);
        let visitor = door.visitor(&mine, now);
        let Visitor::SignedIn(form) = &visitor else { panic!("{visitor:?}") };
        assert!(door.lets_act(&visitor, &mine, Some(form)));
        assert!(!door.lets_act(&visitor, &mine, None) && !door.lets_act(&visitor, &mine, Some("guess")));
        let elsewhere = headers(&[("host", "localhost:9"), ("origin", "http://evil.example")]);
        assert!(!door.lets_act(&visitor, &elsewhere, Some(form)));
        let here = headers(&[("host", "localhost:9"), ("origin", "http://localhost:9")]);
        assert!(door.lets_act(&visitor, &here, Some(form)));
        assert_eq!(door.visitor(&mine, Timestamp::from_parts(1_000 + SESSION, 0)), Visitor::Reader);
        let _cookie = door.sign_out(form);
        assert_eq!(door.visitor(&mine, now), Visitor::Reader);
    }

    #[test]
    fn where_others_reach_it_strangers_do_not_even_look() {
        let now = Timestamp::from_parts(1_000, 0);
        assert_eq!(door("0.0.0.0:9", &[]).visitor(&HeaderMap::new(), now), Visitor::Stranger);
        assert_eq!(door("127.0.0.1:9", &["a.example"]).visitor(&HeaderMap::new(), now), Visitor::Stranger);
    }
}
