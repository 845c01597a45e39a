//! A root key from a passphrase, for those who must use one: PBKDF2-HMAC-SHA256, once, at start.

use pbkdf2::pbkdf2_hmac_array;
use sha2::Sha256;

use super::{VaultError, random};

/// OWASP's Password Storage Cheat Sheet (2023) for PBKDF2-HMAC-SHA256.
const ROUNDS: u32 = 600_000;
/// NIST SP 800-132 §5.1 asks for 128 bits.
const SALT_BYTES_AT_LEAST: usize = 16;
/// Whoever has the database may try as many as they like.
const CHARACTERS_AT_LEAST: usize = 20;

/// The root key, as `Vault::from_root_keys` reads it, of `id:salt:passphrase`. Takes a good part of a second.
pub fn from_passphrase(text: &str) -> Result<String, VaultError> {
    let (id, salt, passphrase) = parts(text)?;
    Ok(format!("{id}:{}", hex::encode(derive(passphrase.as_bytes(), &salt, ROUNDS))))
}

/// Sixteen random bytes in hex digits: what makes equal passphrases of two installations different keys.
pub fn new_salt() -> Result<String, VaultError> {
    Ok(hex::encode(random::<SALT_BYTES_AT_LEAST>()?))
}

/// A passphrase may hold colons.
fn parts(text: &str) -> Result<(&str, Vec<u8>, &str), VaultError> {
    let mut parts = text.splitn(3, ':');
    let (Some(id), Some(salt), Some(passphrase)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(VaultError::MalformedPassphrase);
    };
    let salt = hex::decode(salt).map_err(|_| VaultError::MalformedPassphrase)?;
    if salt.len() < SALT_BYTES_AT_LEAST || passphrase.chars().count() < CHARACTERS_AT_LEAST {
        return Err(VaultError::MalformedPassphrase);
    }
    Ok((id, salt, passphrase))
}

fn derive(passphrase: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    pbkdf2_hmac_array::<Sha256, 32>(passphrase, salt, rounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7914 §11, whose vectors are 64 bytes long; a shorter key is their beginning.
    #[test]
    fn a_passphrase_becomes_the_key_that_the_standard_says() {
        let once = pbkdf2_hmac_array::<Sha256, 64>(b"passwd", b"salt", 1);

        assert_eq!(
            hex::encode(once),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
             49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
        );
        assert_eq!(derive(b"passwd", b"salt", 1), once[..32]);
    }

    #[test]
    fn what_is_no_passphrase_with_a_salt_is_refused_without_being_repeated() {
        let salt = new_salt().unwrap();
        for text in [
            "",
            "p1",
            "p1:correct horse battery staple",
            &format!("p1:{}:correct horse battery staple", &salt[2..]),
            &format!("p1:{salt}:too short"),
        ] {
            assert_eq!(parts(text).err(), Some(VaultError::MalformedPassphrase), "{text}");
        }
        assert_eq!(
            parts(&format!("p1:{salt}:a passphrase: with colons")).unwrap().2,
            "a passphrase: with colons"
        );
        assert!(!VaultError::MalformedPassphrase.to_string().contains("horse"));
    }
}
