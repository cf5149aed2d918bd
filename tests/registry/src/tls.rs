//! A certificate authority that lives as long as the registry, and the certificate of the TLS listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;

use crate::error::{Error, Result};

pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// The authority's certificate.
    pub(crate) ca_pem: String,
}

impl Tls {
    pub(crate) fn new() -> Result<Self> {
        let (certificate, key, ca_pem) = certify().map_err(Error::start)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::start)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map_err(Error::start)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: Arc::new(config).into(), ca_pem })
    }
}

type Certified = (rustls::pki_types::CertificateDer<'static>, PrivateKeyDer<'static>, String);

fn certify() -> std::result::Result<Certified, rcgen::Error> {
    let mut params = named("WslImage test registry CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let mut params = named("localhost");
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &ca)?;
    Ok((certificate.der().clone(), key.into(), ca.pem()))
}

/// Valid from yesterday (clocks differ) and not for long, which some systems insist on.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(90);
    params
}
