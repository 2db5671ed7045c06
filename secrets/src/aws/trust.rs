//! Whose certificates are trusted.

use aws_smithy_http_client::tls::TrustStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::ffi::OsStr;
use std::fs;

/// The roots that all of AWS's endpoints have but those of some partitions.
/// <https://www.amazontrust.com/repository/>
const AMAZON_ROOTS: &[u8] = include_bytes!("roots.pem");

/// Those in the file that `AWS_CA_BUNDLE` names and no others; else Amazon's, and where these may
/// not be enough, the system's too. Reading the system's 140 costs as much as everything else that
/// this program does: 4.7 ms of 9.4 ms.
pub fn store(bundle: Option<&OsStr>, needs_system: bool) -> Result<TrustStore, String> {
    let Some(path) = bundle else {
        let amazon = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
        return Ok(amazon.with_native_roots(needs_system));
    };
    let explain = |cause: &str| {
        format!("unable to read the certificates in {path:?} (AWS_CA_BUNDLE): {cause}")
    };
    let pem = fs::read(path).map_err(|error| explain(&error.to_string()))?;
    // The SDK panics on what it cannot read.
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(|_| explain("it is not PEM"))?;
        count += 1;
    }
    match count {
        0 => Err(explain("there are none")),
        _ => Ok(TrustStore::empty().with_pem_certificate(pem)),
    }
}

/// True for regions outside the partitions whose endpoints have Amazon's own certificates, which is
/// where Lambda's runtimes take the system's file, too.
pub fn needs_system_roots(region: &str) -> bool {
    region.starts_with("cn-") || region.matches('-').count() > 2
}
