//! Client certificates: subject or alternative name → role.
//!
//! Rules are about texts. A certificate's are:
//!
//! - **subject**: the string of RFC 4514, the most specific part first: `CN=arm-1,OU=Robots,O=Lab`. Types are `CN`, `L`, `ST`, `O`,
//!   `OU`, `C`, `STREET`, `DC`, `UID`, `serialNumber` and `emailAddress`; others are numbers. Parts of one name are sorted and
//!   joined by `+`. In values, `"`, `+`, `,`, `;`, `<`, `=`, `>`, `\` and control characters are a backslash and two hexadecimal
//!   digits for each byte: `\2C` for a comma. So are a space at either end and `#` at the beginning. A value of an unnamed type or
//!   in an encoding that is not clear is `#` and its DER form, in hexadecimal digits.
//! - **alternative names**: `dns:arm-1.lab.example` and `email:ops@lab.example` in small letters, `uri:spiffe://lab/arm-1` as it is,
//!   `ip:192.0.2.7`, `ip:2001:db8::7`. Other kinds have no text, nor have names with characters that are not visible ASCII.
//!
//! RFC 4514 lets a comma in a value be written `\,` or `\2C`. Here it is the latter: `CN=*,O=Lab` must not match one who
//! is *called* `x,O=Lab`.

mod distinguished_name;
mod names;
mod rule;

pub use distinguished_name::distinguished_name;
pub use names::{Names, NamesError};
pub(crate) use rule::{CertificateRule, SanPattern};
