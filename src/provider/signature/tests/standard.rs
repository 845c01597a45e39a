use super::*;

#[test]
fn a_timestamp_may_be_300_seconds_off_either_way_and_no_more() {
    for (signed, expected) in [
        (NOW - 300, Ok(Some(NOW - 300))),
        (NOW + 300, Ok(Some(NOW + 300))),
        (NOW - 301, Err(Refusal::TimestampTooOld)),
        (NOW + 301, Err(Refusal::TimestampTooOld)),
        (0, Err(Refusal::TimestampTooOld)),
        (i64::MAX, Err(Refusal::TimestampTooOld)),
    ] {
        let headers = signed_standard(b"key", "evt_1", signed);
        let found = judge(&Scheme::StandardWebhooks, &headers).map(|v| v.timestamp);
        assert_eq!(found, expected, "{signed}");
    }
}

#[test]
fn a_timestamp_that_is_no_plain_number_is_refused() {
    for stamp in ["", "-1", "+1771320600", "01771320600", "1771320600.0", "1771320600,1771320600", "soon"]
        .into_iter()
        .chain(["9223372036854775808", "1771320600000000000000"])
    {
        let headers = standard("evt_1", stamp, &sign_standard(b"key", "evt_1", NOW, BODY));
        assert_eq!(judge(&Scheme::StandardWebhooks, &headers), Err(Refusal::BadTimestamp), "{stamp:?}");
    }
}

#[test]
fn a_delivery_id_outside_its_alphabet_is_refused_even_when_signed() {
    for id in ["", "evt.1", "evt 1", "évt", "a/b", &"a".repeat(65)] {
        let mut headers = signed_standard(b"key", "evt_1", NOW);
        headers.insert("webhook-id", HeaderValue::from_bytes(id.as_bytes()).unwrap());
        let signature = sign_standard(b"key", id, NOW, BODY);
        headers.insert("webhook-signature", HeaderValue::from_str(&signature).unwrap());

        assert_eq!(judge(&Scheme::StandardWebhooks, &headers), Err(Refusal::MalformedHeader), "{id:?}");
    }

    let longest = "Az09-_".repeat(11)[..64].to_owned();
    let verified = judge(&Scheme::StandardWebhooks, &signed_standard(b"key", &longest, NOW)).unwrap();
    assert_eq!(verified.delivery_id, Some(longest));
}

#[test]
fn an_odd_signature_list_is_malformed() {
    let good = sign_standard(b"key", "evt_1", NOW, BODY);
    let digest = good.strip_prefix("v1,").unwrap();
    let url_safe = base64::engine::general_purpose::URL_SAFE.encode([0xff; 32]);
    for list in [
        String::new(),
        "v1,".to_owned(),
        digest.to_owned(),
        format!("v2,{digest}"),
        format!("V1,{digest}"),
        format!(",{digest}"),
        format!("v1={digest}"),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}  {good}"),
        format!("{good},"),
        format!("{good} v1,{}", &digest[..40]),
        format!("{good} v1,{url_safe}"),
        format!("v1,{}", digest.trim_end_matches('=')),
        format!("v1,{}", BASE64.encode([0; 31])),
        [good.as_str(); 11].join(" "),
    ] {
        let headers = standard("evt_1", &NOW.to_string(), &list);
        assert_eq!(judge(&Scheme::StandardWebhooks, &headers), Err(Refusal::MalformedHeader), "{list:?}");
    }

    let decoy = sign_standard(b"other", "evt_1", NOW, BODY);
    let ten = format!("v1a,anything {} {good}", [decoy.as_str(); 8].join(" "));
    let headers = standard("evt_1", &NOW.to_string(), &ten);
    assert!(judge(&Scheme::StandardWebhooks, &headers).is_ok());
}

#[test]
fn a_secret_that_is_not_whsec_and_24_to_64_bytes_is_refused() {
    let of = |length: usize| format!("whsec_{}", BASE64.encode(vec![7; length]));
    assert!(decode_secret(&of(24)).is_ok() && decode_secret(&of(64)).is_ok());

    let (short, long, bare) = (of(23), of(65), of(32)[6..].to_owned());
    for secret in ["", "whsec_", "whsec_!!", "WHSEC_AAAA", &short, &long, &bare] {
        assert_eq!(decode_secret(secret).err(), Some(BadSecret), "{secret:?}");
    }
    assert_eq!(LEGACY.key(&String::new().into()).err(), Some(BadSecret));
}
