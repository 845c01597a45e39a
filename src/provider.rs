//! What the outside services say, and how to tell that it was them.

pub mod asana;
pub mod booking_tool;
pub mod calcom;
pub mod call;
pub mod catalog;
mod fields;
#[cfg(test)]
mod scripted;
pub mod signature;

use crate::words::SignatureScheme;

/// How deliveries to an endpoint of this scheme are signed.
pub fn scheme(word: SignatureScheme) -> signature::Scheme {
    match word {
        SignatureScheme::Legacy => booking_tool::LEGACY,
        SignatureScheme::Standard => booking_tool::STANDARD,
        SignatureScheme::Calcom => calcom::SCHEME,
    }
}
