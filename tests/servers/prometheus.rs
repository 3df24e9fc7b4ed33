//! Prometheus, which reads metrics as its users' does.

use std::path::Path;

use crate::debian::PROMETHEUS;
use crate::process::{Launch, Process};

/// A Prometheus that scrapes one address every second.
#[derive(Debug)]
pub struct Prometheus {
    /// `127.0.0.1:PORT`.
    pub address: String,
    _process: Process,
}

impl Prometheus {
    /// One that scrapes `target` (`HOST:PORT`), with the rules of a file.
    ///
    /// # Panics
    /// With the reason, where it cannot be had or does not take the rules.
    #[must_use]
    pub fn of(target: &str, rules: &Path) -> Self {
        Self::start(target, rules).unwrap_or_else(|reason| panic!("Prometheus is missing: {reason}"))
    }

    fn start(target: &str, rules: &Path) -> Result<Self, String> {
        let config = format!(
            "global: {{ scrape_interval: 1s }}\nrule_files: [\"{}\"]\nscrape_configs:\n  - job_name: sterna\n    honor_labels: true\n    \
             static_configs: [{{ targets: [\"{target}\"] }}]\n",
            rules.display()
        );
        let (process, ports) = Process::start("prometheus", 1, |directory, ports| {
            let (mut command, _) = PROMETHEUS.command()?;
            let file = directory.join("prometheus.yml");
            std::fs::write(&file, &config).map_err(|error| format!("{}: {error}", file.display()))?;
            command.arg(format!("--config.file={}", file.display()));
            command.arg(format!("--storage.tsdb.path={}", directory.join("data").display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{}", ports[0]));
            Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "/-/ready", true)] })
        })?;
        Ok(Self { address: format!("127.0.0.1:{}", ports[0]), _process: process })
    }
}
