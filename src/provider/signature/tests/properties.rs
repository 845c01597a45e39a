use proptest::prelude::*;

use super::*;

fn flip(bytes: &mut [u8], bit: usize) {
    let bit = bit % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}

proptest! {
    #[test]
    fn a_flipped_bit_in_the_body_is_refused(
        mut body in prop::collection::vec(any::<u8>(), 1..300), bit in any::<usize>(),
    ) {
        let key = [secret(b"key")];
        let for_legacy = legacy(&sign_legacy(b"key", &body));
        let signature = sign_standard(b"key", "evt_1", NOW, &body);
        let for_standard = standard("evt_1", &NOW.to_string(), &signature);
        prop_assert!(verify(&LEGACY, &for_legacy, &body, &key, NOW).is_ok());

        flip(&mut body, bit);

        prop_assert_eq!(verify(&LEGACY, &for_legacy, &body, &key, NOW), Err(Refusal::Mismatch));
        let found = verify(&Scheme::StandardWebhooks, &for_standard, &body, &key, NOW);
        prop_assert_eq!(found, Err(Refusal::Mismatch));
    }

    #[test]
    fn a_flipped_bit_in_a_signed_header_is_refused(bit in any::<usize>(), which in 0_usize..4) {
        let (scheme, mut headers) = match which {
            3 => (LEGACY, legacy(&format!("sha256={}", sign_legacy(b"key", BODY)))),
            _ => (Scheme::StandardWebhooks, signed_standard(b"key", "evt_1", NOW)),
        };
        let name = SIGNATURE_HEADERS[(which + 1) % 4];
        let mut value = headers[name].as_bytes().to_vec();
        prop_assert!(judge(&scheme, &headers).is_ok());

        flip(&mut value, bit);

        // Bytes that no header can carry never reach us.
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            headers.insert(HeaderName::try_from(name).unwrap(), value);
            prop_assert!(judge(&scheme, &headers).is_err());
        }
    }

    #[test]
    fn random_header_bytes_are_refused_and_never_panic(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 4),
        present in 0_u8..16,
        now in any::<i64>(),
    ) {
        let mut headers = HeaderMap::new();
        for (place, (name, value)) in SIGNATURE_HEADERS.iter().zip(&values).enumerate() {
            if let (true, Ok(value)) = (present & (1 << place) != 0, HeaderValue::from_bytes(value)) {
                headers.insert(HeaderName::try_from(*name).unwrap(), value);
            }
        }

        for scheme in [LEGACY, Scheme::StandardWebhooks] {
            prop_assert!(verify(&scheme, &headers, BODY, &[secret(b"key")], now).is_err());
        }
    }

    #[test]
    fn a_decoded_secret_is_the_one_that_was_written(text in "(whsec_)?[A-Za-z0-9+/=_-]{0,100}") {
        if let Ok(key) = decode_secret(&text) {
            prop_assert!((24..=64).contains(&key.expose_secret().len()));
            prop_assert_eq!(format!("whsec_{}", BASE64.encode(key.expose_secret())), text);
        }
    }
}
