//! E-mail by SMTP.

use std::{fmt, net::IpAddr, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use sterna_backends::secret::Secret;

use super::{
    Notice,
    recipient::{InvalidRecipient, Reading},
};

/// How long one answer of the server may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where e-mail goes, and by which server.
#[derive(Clone, Debug)]
pub struct Mail {
    pub(super) to: Vec<String>,
    from: String,
    server: Server,
    user: Option<(String, Secret)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    host: String,
    port: u16,
    security: Security,
}

/// What is between us and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    /// `smtps://`: TLS from the first byte.
    Wrapped,
    /// `smtp://`: STARTTLS, or no mail.
    Started,
    /// `smtp://` to this machine: nothing leaves it.
    Local,
}

impl Mail {
    pub(super) fn of(reading: &Reading<'_>) -> Result<Self, InvalidRecipient> {
        let needed = |key| reading.text(key)?.map(str::to_owned).ok_or(InvalidRecipient::Missing(key));
        let (from, smtp) = (needed("from")?, needed("smtp")?);
        let server = Server::of(&smtp).ok_or_else(|| InvalidRecipient::Value {
            key: "smtp",
            why: format!("'{smtp}' is no server; write smtps://HOST or smtp://HOST:PORT, without user and password"),
        })?;
        let to = reading.list("email");
        for (key, address) in to.iter().map(|to| ("email", to)).chain([("from", &from)]) {
            if address.parse::<Mailbox>().is_err() {
                return Err(InvalidRecipient::Value { key, why: format!("'{address}' is no address") });
            }
        }
        if reading.text("password")?.is_some() {
            let why = "a password does not stand here; write { file = \"PATH\" }, { env = \"NAME\" } or the like";
            return Err(InvalidRecipient::Value { key: "password", why: why.to_owned() });
        }
        let user = match (reading.text("user")?, reading.secret("password")?) {
            (Some(user), Some(password)) => Some((user.to_owned(), password)),
            (None, None) => None,
            (Some(_), None) => return Err(InvalidRecipient::Missing("password beside user")),
            (None, Some(_)) => return Err(InvalidRecipient::Missing("user beside password")),
        };
        Ok(Self { to, from, server, user })
    }

    /// Sends `notice`.
    ///
    /// # Errors
    /// What the server said, or that none answered; for people.
    pub(super) async fn tell(&self, notice: &Notice) -> Result<(), String> {
        let words = |error: &dyn fmt::Display| error.to_string();
        let mut message = Message::builder().subject(notice.subject()).header(ContentType::TEXT_PLAIN);
        message = message.from(self.from.parse::<Mailbox>().map_err(|error| words(&error))?);
        for to in &self.to {
            message = message.to(to.parse::<Mailbox>().map_err(|error| words(&error))?);
        }
        let message = message.body(format!("{}\n", notice.text)).map_err(|error| words(&error))?;
        let Server { host, port, security } = &self.server;
        let certified = || TlsParameters::new(host.clone()).map_err(|error| chain(&error));
        let tls = match security {
            Security::Wrapped => Tls::Wrapper(certified()?),
            Security::Started => Tls::Required(certified()?),
            Security::Local => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.as_str())
            .port(*port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let Some((user, password)) = &self.user {
            transport = transport.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        transport.build().send(message).await.map(drop).map_err(|error| chain(&error))
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text += &format!(": {said}");
        }
        cause = next.source();
    }
    text
}

impl Server {
    /// `smtps://HOST[:PORT]` or `smtp://HOST[:PORT]`.
    fn of(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let rest = rest.trim_end_matches('/');
        if rest.contains(['@', '/', '?', '#']) {
            return None;
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (rest, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let (usual, security) = match scheme {
            "smtps" => (465, Security::Wrapped),
            "smtp" if is_local => (25, Security::Local),
            "smtp" => (587, Security::Started),
            _ => return None,
        };
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port: port.unwrap_or(usual), security })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_and_nothing_goes_out_in_the_clear() {
        let server = |text: &str| Server::of(text).map(|server| (server.host, server.port, server.security));
        assert_eq!(server("smtps://mail.example.org"), Some(("mail.example.org".to_owned(), 465, Security::Wrapped)));
        assert_eq!(server("smtp://mail.example.org:25"), Some(("mail.example.org".to_owned(), 25, Security::Started)));
        assert_eq!(server("smtp://[::1]:2525"), Some(("::1".to_owned(), 2525, Security::Local)));
        assert_eq!(server("smtp://localhost"), Some(("localhost".to_owned(), 25, Security::Local)));
        for wrong in ["mail.example.org", "smtp://", "smtp://user:secret@host", "http://host", "smtp://host:x"] {
            assert_eq!(server(wrong), None, "{wrong}");
        }
    }
}
