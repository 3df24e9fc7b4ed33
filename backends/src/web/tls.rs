//! Which certificates are trusted.

use std::{path::Path, sync::Arc};

use rustls_pki_types::{CertificateDer, pem::PemObject};

/// Why certificates could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoCertificates {
    #[error("no certificates of this system were found; SSL_CERT_FILE may name them")]
    None,
    #[error("{path}: {source}")]
    File { path: String, source: rustls_pki_types::pem::Error },
    #[error("{path} holds no certificate")]
    Empty { path: String },
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// Of every version that is safe. `tls`: whether `https` will be spoken at all; reading the system's certificates takes some milliseconds.
/// `ca_file`: PEM certificates trusted beside them.
///
/// # Errors
/// Which file holds no certificate, or that the system has none.
pub(crate) fn tls_config(tls: bool, ca_file: Option<&Path>) -> Result<rustls::ClientConfig, NoCertificates> {
    let roots = trusted(tls, ca_file)?;
    of_versions(roots, rustls::DEFAULT_VERSIONS)
}

/// Whom to trust; see [`tls_config`].
///
/// # Errors
/// As there.
pub(crate) fn trusted(tls: bool, ca_file: Option<&Path>) -> Result<rustls::RootCertStore, NoCertificates> {
    let mut roots = rustls::RootCertStore::empty();
    if tls {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(path) = ca_file {
        let shown = || path.display().to_string();
        let file = |source| NoCertificates::File { path: shown(), source };
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(file)? {
            roots.add(certificate.map_err(file)?)?;
        }
        if roots.len() == before {
            return Err(NoCertificates::Empty { path: shown() });
        }
    }
    if tls && roots.is_empty() {
        return Err(NoCertificates::None);
    }
    Ok(roots)
}

/// Who trusts `roots`, and speaks these versions.
///
/// # Errors
/// That there is no such version.
pub(crate) fn of_versions(
    roots: impl Into<Arc<rustls::RootCertStore>>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<rustls::ClientConfig, NoCertificates> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
