//! What a certificate says of its owner.

use std::net::IpAddr;

use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

use super::distinguished_name;

/// The names in a certificate, as the texts that rules are about (see the [module](super)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The subject; empty if there is none.
    pub subject: String,
    /// The alternative names, each with its kind.
    pub sans: Vec<String>,
}

/// Why a certificate's names are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NamesError {
    /// It is none, or has the alternative names twice.
    #[error("the certificate cannot be read")]
    Malformed,
    /// Nobody has so many names, and all of them would be compared and logged.
    #[error("the certificate's names have more than {MAX_TEXT} bytes")]
    TooLong,
}

impl Names {
    /// Of a stranger's certificate in its DER form.
    pub fn read(der: &[u8]) -> Result<Self, NamesError> {
        let Ok(([], certificate)) = X509Certificate::from_der(der) else { return Err(NamesError::Malformed) };
        let names = Self::of(&certificate)?;
        let length = names.subject.len() + names.sans.iter().map(String::len).sum::<usize>();
        if length > MAX_TEXT { Err(NamesError::TooLong) } else { Ok(names) }
    }

    /// Of a certificate that has been read, however long they are.
    pub fn of(certificate: &X509Certificate<'_>) -> Result<Self, NamesError> {
        let names = certificate.subject_alternative_name().map_err(|_| NamesError::Malformed)?;
        let sans = names.iter().flat_map(|names| &names.value.general_names).filter_map(alternative_name).collect();
        Ok(Self { subject: distinguished_name(certificate.subject()), sans })
    }
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    let (kind, name) = match name {
        GeneralName::DNSName(name) => (DNS, name.to_ascii_lowercase()),
        GeneralName::RFC822Name(name) => (EMAIL, name.to_ascii_lowercase()),
        GeneralName::URI(name) => (URI, (*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok()?;
            (IP, address.to_string())
        }
        _ => return None,
    };
    let is_plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then(|| format!("{kind}:{name}"))
}

pub(super) const DNS: &str = "dns";
pub(super) const EMAIL: &str = "email";
pub(super) const IP: &str = "ip";
pub(super) const URI: &str = "uri";

const MAX_TEXT: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common_name: &str, sans: Vec<SanType>) -> Vec<u8> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, "Lab");
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        parameters.subject_alt_names = sans;
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn alternative_names_have_their_kind_before_them() {
        let other = SanType::OtherName((vec![1, 3, 6, 1], "somebody".into()));
        let sans = vec![
            SanType::DnsName("Arm-1.Lab.example".try_into().unwrap()),
            SanType::Rfc822Name("Ops@Lab.example".try_into().unwrap()),
            SanType::URI("spiffe://lab/Arm-1".try_into().unwrap()),
            SanType::IpAddress("192.0.2.7".parse().unwrap()),
            SanType::IpAddress("2001:DB8:0::7".parse().unwrap()),
            SanType::DnsName("two names".try_into().unwrap()),
            other,
        ];
        let names = Names::read(&certificate("arm-1", sans)).unwrap();
        assert_eq!(names.subject, "CN=arm-1,O=Lab");
        let expected = [
            "dns:arm-1.lab.example",
            "email:ops@lab.example",
            "uri:spiffe://lab/Arm-1",
            "ip:192.0.2.7",
            "ip:2001:db8::7",
        ];
        assert_eq!(names.sans, expected);
    }

    #[test]
    fn what_is_no_certificate_has_no_names() {
        let good = certificate("arm-1", Vec::new());
        assert_eq!(Names::read(&good).unwrap().sans, [""; 0]);
        let cut = &good[..good.len() - 1];
        let longer = [&good[..], b"x"].concat();
        for bad in [&b""[..], b"certificate", cut, &longer] {
            assert_eq!(Names::read(bad), Err(NamesError::Malformed));
        }
    }

    #[test]
    fn names_without_end_are_not_looked_at() {
        let many: Vec<_> =
            (0..1000).map(|n| SanType::DnsName(format!("n{n}.lab.example").try_into().unwrap())).collect();
        for (name, sans) in [("x".repeat(MAX_TEXT), Vec::new()), ("x".to_owned(), many)] {
            assert_eq!(Names::read(&certificate(&name, sans)), Err(NamesError::TooLong));
        }
    }
}
