//! Bare loops: what a row of the benchmark costs without an engine, over the same HTTP client or the same system calls.
//! Nothing is compared, retried or resumed, no time is kept, nothing is flushed.
//!
//! `bare big-up|big-down|up|down|across|within|list|local SOURCE DESTINATION`; a bucket is `URL KEY:SECRET NAME`.
//! `BARE_HASH` = `sha256` or `md5`: of the whole big object, read back in order while parts arrive (down) or before the
//! first is sent, with a CRC-32C of each part (up); of each small object, as the signature has it.

#![expect(clippy::print_stderr, reason = "it is a program")]

mod big;
mod small;
mod wire;

use std::process::ExitCode;

use wire::{Bucket, Result};

/// Which digest is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hash {
    None,
    Md5,
    Sha256,
}

async fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, source, destination] = &arguments[..] else { return Err("three words are wanted".into()) };
    let hash = match std::env::var("BARE_HASH").as_deref() {
        Ok("md5") => Hash::Md5,
        Ok("sha256") => Hash::Sha256,
        _ => Hash::None,
    };
    match mode.as_str() {
        "big-up" => big::up(source, Bucket::named(destination)?, hash).await,
        "big-down" => big::down(Bucket::named(source)?, destination, hash).await,
        "up" => small::up(source, Bucket::named(destination)?, hash).await,
        "down" => small::down(Bucket::named(source)?, destination, hash).await,
        "across" => small::across(Bucket::named(source)?, Bucket::named(destination)?).await,
        "within" => small::within(Bucket::named(source)?, Bucket::named(destination)?).await,
        "list" => small::same(source, Bucket::named(destination)?).await,
        "local" => small::local(source, destination),
        _ => Err(format!("no such loop: {mode}").into()),
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare: {error}");
            ExitCode::FAILURE
        }
    }
}
