//! The certificates of the TLS listeners, right and wrong, and the authority that lives as long as the registry.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, CrlDistributionPoint,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;

use crate::error::{Error, Result};

/// The name that [`Certificate::OtherName`] is for.
const OTHER_NAME: &str = "elsewhere.example";

/// The certificate of a listener.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Certificate {
    /// For `localhost`, `127.0.0.1`, `::1` and `registry.test`, valid now, from the authority of the registry.
    #[default]
    Valid,
    /// It ended yesterday.
    Expired,
    /// It begins tomorrow.
    NotYetValid,
    /// For `elsewhere.example`.
    OtherName,
    /// From an authority that nobody trusts.
    UnknownAuthority,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) struct Tls {
    ca: Authority,
    unknown_ca: Authority,
    /// Where the certificates of listeners say that the list of revoked ones is.
    revoked_url: String,
    provider: Arc<CryptoProvider>,
}

/// A certificate and its key, for files.
pub(crate) struct PemPair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Tls {
    pub(crate) fn new(revoked_url: String) -> Result<Self> {
        Ok(Self {
            revoked_url,
            ca: authority("WslImage test registry CA").map_err(Error::start)?,
            unknown_ca: authority("WslImage test registry, unknown CA").map_err(Error::start)?,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        })
    }

    /// The authority's certificate.
    pub(crate) fn ca_pem(&self) -> String {
        self.ca.pem()
    }

    /// The authority's list of revoked certificates, which has none, in DER form.
    pub(crate) fn revoked_list(&self) -> Result<Vec<u8>> {
        let (this_update, next_update) = validity(Certificate::Valid);
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.ca).map_err(Error::start)?.der().to_vec())
    }

    /// What a listener takes that asks clients for a certificate.
    pub(crate) fn client_pair(&self) -> Result<PemPair> {
        let certify = || {
            let mut params = named("WslImage test client", Certificate::Valid);
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &self.ca)?.pem();
            Ok::<_, rcgen::Error>(PemPair { certificate, key: key.serialize_pem() })
        };
        certify().map_err(Error::start)
    }

    /// A listener's side of TLS: with this certificate, and with HTTP/2 and HTTP/1.1 for whoever asks by ALPN.
    pub(crate) fn acceptor(&self, certificate: Certificate, wants_client_certificate: bool) -> Result<TlsAcceptor> {
        let (certificate, key) = self.certify(certificate).map_err(Error::start)?;
        let config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(Error::start)?;
        let config = if wants_client_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.ca.der().clone()).map_err(Error::start)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), self.provider.clone());
            config.with_client_cert_verifier(verifier.build().map_err(Error::start)?)
        } else {
            config.with_no_client_auth()
        };
        let mut config = config.with_single_cert(vec![certificate], key).map_err(Error::start)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }

    fn certify(&self, certificate: Certificate) -> std::result::Result<Certified, rcgen::Error> {
        let mut params = named("localhost", certificate);
        params.subject_alt_names = match certificate {
            Certificate::OtherName => vec![SanType::DnsName(OTHER_NAME.try_into()?)],
            _ => vec![
                SanType::DnsName("localhost".try_into()?),
                SanType::DnsName("registry.test".try_into()?),
                SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            ],
        };
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![self.revoked_url.clone()] }];
        let key = KeyPair::generate()?;
        let ca = if certificate == Certificate::UnknownAuthority { &self.unknown_ca } else { &self.ca };
        let certificate = params.signed_by(&key, ca)?;
        Ok((certificate.der().clone(), key.into()))
    }
}

type Certified = (rustls::pki_types::CertificateDer<'static>, rustls::pki_types::PrivateKeyDer<'static>);

fn authority(name: &str) -> std::result::Result<Authority, rcgen::Error> {
    let mut params = named(name, Certificate::Valid);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn named(name: &str, certificate: Certificate) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = validity(certificate);
    params
}

/// Valid from yesterday (clocks differ) and not for long, which some systems insist on.
fn validity(certificate: Certificate) -> (OffsetDateTime, OffsetDateTime) {
    let (from, to) = match certificate {
        Certificate::Expired => (-30, -1),
        Certificate::NotYetValid => (1, 30),
        _ => (-1, 90),
    };
    let now = OffsetDateTime::now_utc();
    (now + Duration::days(from), now + Duration::days(to))
}
