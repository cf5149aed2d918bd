//! Whom to trust.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, CipherSuite, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::certs_d::HostCertificates;
use crate::error::{Error, ErrorKind, Result};

/// The operating system's store, and `ca_certificate` and what is set up for the host beside it; or nobody is checked.
pub(super) fn client_config(
    ca_certificate: Option<&Path>,
    skip_certificate_check: bool,
    host: HostCertificates,
) -> Result<ClientConfig> {
    let provider = Arc::new(provider());
    let mut roots = match ca_certificate {
        Some(file) => certificates(file)?,
        None => Vec::new(),
    };
    let HostCertificates { authorities, client } = host;
    roots.extend(authorities);
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Tls, format!("TLS could not be set up: {error}")).caused_by(error))?;
    let trust = if skip_certificate_check {
        Trust::Anybody
    } else {
        Trust::Issuers {
            added: added_roots(roots, &provider)?,
            // A system without any certificate still reaches plain http; a handshake then says "unknown issuer".
            system: rustls_platform_verifier::Verifier::new(provider.clone()).ok(),
        }
    };
    let verifier = Arc::new(Verifier { trust, provider });
    signed(builder.dangerous().with_custom_certificate_verifier(verifier), client)
}

/// Checks against `roots` alone. `None` when there are none.
fn added_roots(
    roots: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<WebPkiServerVerifier>>> {
    if roots.is_empty() {
        return Ok(None);
    }
    let unusable =
        |error: String| Error::new(ErrorKind::InvalidArgument, format!("The CA certificates cannot be used: {error}"));
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root).map_err(|error| unusable(error.to_string()).caused_by(error))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
        .build()
        .map_err(|error| unusable(error.to_string()).caused_by(error))?;
    Ok(Some(verifier))
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

/// Whose certificate is good.
#[derive(Debug)]
enum Trust {
    Anybody,
    /// Whoever is known by the certificates that were given or by the system's store.
    ///
    /// The given ones are not handed to the system: Windows takes only roots that signed themselves, and then only
    /// together with an engine of their own.
    Issuers {
        added: Option<Arc<WebPkiServerVerifier>>,
        system: Option<rustls_platform_verifier::Verifier>,
    },
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        const UNKNOWN: rustls::Error = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let Trust::Issuers { added, system } = &self.trust else { return Ok(ServerCertVerified::assertion()) };
        let verify = |verifier: &dyn ServerCertVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let added = added.as_deref().map_or(Err(UNKNOWN), |added| verify(added));
        let Err(added_error) = added else { return added };
        let system = system.as_ref().map_or(Err(UNKNOWN), |system| {
            verify(system).map_err(|error| if is_partial_chain(&error) { UNKNOWN } else { error })
        });
        // Whoever knows the issuer knows what is wrong.
        if system.is_err() && added_error != UNKNOWN { Err(added_error) } else { system }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether Windows missed the issuer itself (`CERT_E_CHAINING`), which is the rule for an authority that nobody installed,
/// because servers do not send their root. The platform's verifier has no name for it and passes Windows' text and number on.
fn is_partial_chain(error: &rustls::Error) -> bool {
    const CERT_E_CHAINING: i32 = 0x800B_010A_u32.cast_signed();
    let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    other.0.to_string().ends_with(&format!("(os error {CERT_E_CHAINING})"))
}

/// Who this client is, for servers that ask.
fn signed(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<ClientConfig> {
    let Some((chain, key)) = client else { return Ok(builder.with_no_client_auth()) };
    builder.with_client_auth_cert(chain, key).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, format!("The client certificate in certs.d cannot be used: {error}"))
            .caused_by(error)
    })
}

/// AES-128 first, as browsers order it: as safe here as AES-256, and a quarter faster.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unusable = |reason: String| {
        Error::new(
            ErrorKind::InvalidArgument,
            format!("The CA certificates in {} cannot be used: {reason}", file.display()),
        )
        .target(file.display())
    };
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(error.to_string()).caused_by(error))?;
    if certificates.is_empty() {
        return Err(unusable("the file holds no certificate in PEM form".to_owned())
            .advice("Give a file with BEGIN CERTIFICATE lines."));
    }
    Ok(certificates)
}
