//! Calls of the RPC interface, and what their answers mean.

use bytes::Bytes;
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    entry::Timestamp,
    error::{Error, ErrorKind, Operation, Result},
    tree::{self, Facts},
    web::{
        body::{Failure, Outgoing, collect},
        client::{Answer, Call},
        site::{Site, succeeded},
    },
};

/// The largest answer that is not content, in bytes: a directory of some 500,000 members.
const LARGEST: usize = 128 * 1024 * 1024;

/// A node that is spoken to.
#[derive(Debug)]
pub(super) struct Rpc {
    pub site: Site,
    /// The address, ending in `/`.
    pub endpoint: Url,
}

/// What a node says where it did not do what it was asked to: 500, and a text for people. The same code stands for all
/// reasons.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node says: {said}")]
pub(super) struct Refused {
    said: String,
}

impl Refused {
    /// What no node is asked to do: it would make something below a file.
    pub fn nothing_above() -> Self {
        Self { said: "nothing lies above it".to_owned() }
    }

    /// Whether `error` is an answer of the node, and not the lack of one.
    pub fn is(error: &Error) -> bool {
        error.cause::<Self>().is_some()
    }
}

/// What is told of a path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Found {
    #[serde(default)]
    pub name: String,
    #[serde(rename = "Type")]
    pub what: What,
    #[serde(default)]
    pub size: u64,
    #[serde(rename = "Hash", default)]
    pub cid: String,
    #[serde(default)]
    mtime: Option<i64>,
    #[serde(default)]
    mtime_nsecs: Option<u32>,
}

impl Found {
    /// When the content was last changed, where that was ever said.
    pub fn modified(&self) -> Option<Timestamp> {
        Some(Timestamp::from_parts(self.mtime?, self.mtime_nsecs.unwrap_or(0).min(999_999_999)))
    }

    pub fn is_file(&self) -> bool {
        self.what == What::File
    }
}

impl Facts for Found {
    fn what(&self) -> tree::What {
        if self.is_file() { tree::What::File } else { tree::What::Directory }
    }
}

/// A `stat` says it in words, an `ls` in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    File,
    Directory,
}

impl<'de> Deserialize<'de> for What {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Told {
            Number(u8),
            Word(String),
        }
        let told = Told::deserialize(deserializer)?;
        let is_directory = match &told {
            Told::Number(number) => *number == 1,
            Told::Word(word) => word == "directory",
        };
        Ok(if is_directory { Self::Directory } else { Self::File })
    }
}

/// What an `ls` answers. Of an empty directory some nodes tell `null`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    pub entries: Option<Vec<Found>>,
}

/// What is answered instead of what was asked for.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    message: String,
}

impl Rpc {
    /// A call of `command`, such as `files/stat`, with its arguments, which are paths, and options.
    pub fn call(&self, operation: Operation, command: &str, arguments: &[&str], options: &[(&str, &str)]) -> Call {
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}api/v0/{command}", url.path()));
        let pairs = arguments.iter().map(|path| ("arg", *path)).chain(options.iter().copied());
        let pairs = pairs.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        let query: Vec<_> = pairs.collect();
        url.set_query(Some(&query.join("&")));
        Call::new(operation, Method::POST, url)
    }

    /// Sends a call and takes an answer of success, its body still to come.
    ///
    /// # Errors
    /// [`Refused`] as the cause, where the node says no; else by status, or what stopped the call.
    pub async fn send(&self, call: Call, body: Option<(Outgoing, Failure)>) -> Result<Answer> {
        let operation = call.operation;
        let answer = self.site.send(call, body).await?;
        if answer.status() != StatusCode::INTERNAL_SERVER_ERROR {
            return succeeded(operation, answer).await;
        }
        let told = collect(answer.into_body(), 64 * 1024).await?;
        let Ok(Said { message }) = serde_json::from_slice(&told) else {
            return Err(Error::new(ErrorKind::Unavailable, operation).because("HTTP 500 without a word"));
        };
        let said = message.chars().filter(|letter| !letter.is_control()).take(200).collect();
        Err(Error::new(ErrorKind::Other, operation).because(Refused { said }))
    }

    /// Sends a call that is answered with nothing that matters.
    ///
    /// # Errors
    /// As [`Rpc::send`].
    pub async fn tell(
        &self,
        operation: Operation,
        command: &str,
        arguments: &[&str],
        options: &[(&str, &str)],
    ) -> Result<()> {
        let answer = self.send(self.call(operation, command, arguments, options), None).await?;
        collect(answer.into_body(), LARGEST).await.map(drop)
    }

    /// Sends a call that is answered with facts.
    ///
    /// # Errors
    /// As [`Rpc::send`]; `Integrity` for an answer that cannot be read, as one that was cut off.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        operation: Operation,
        command: &str,
        path: &str,
        options: &[(&str, &str)],
    ) -> Result<T> {
        let answer = self.send(self.call(operation, command, &[path], options), None).await?;
        let told: Bytes = collect(answer.into_body(), LARGEST).await?;
        serde_json::from_slice(&told).map_err(|error| Error::new(ErrorKind::Integrity, operation).because(error))
    }
}
