//! A certificate for servers on loopback and the authority that signed it.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// The name for which the certificate is good beside the addresses of loopback. Only a proxy finds it.
pub(crate) const NAME: &str = "registry.test";

/// PEM files.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// A new one, in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let authority_key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "WslImage tests");
        let authority_pem = authority.self_signed(&authority_key).expect("an authority").pem();

        let names = [NAME, "localhost", "127.0.0.1"].map(str::to_owned);
        let mut server = CertificateParams::new(names).expect("names");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("a key");
        let issuer = Issuer::new(authority, authority_key);
        let certificate_pem = server.signed_by(&key, &issuer).expect("a certificate").pem();

        let write = |name, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a file");
            path
        };
        Self {
            authority: write("authority.pem", authority_pem),
            certificate: write("certificate.pem", certificate_pem),
            key: write("key.pem", key.serialize_pem()),
        }
    }
}
