use proptest::prelude::*;
use serde_json::Map;

use super::webhook::{ParseError, parse};
use super::*;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-6][0-9](\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn samples() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/calcom");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let bodies = files.filter(|path| path.is_file() && !path.ends_with("signature-vectors.json"));
    bodies.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The objects of a body, the payload first.
fn part(body: &mut Value, inside: bool) -> &mut Map<String, Value> {
    let object = if inside && body["payload"].is_object() { &mut body["payload"] } else { body };
    object.as_object_mut().unwrap()
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(matches!(parse(&body), Err(ParseError::NotJson | ParseError::CustomTemplate)));
    }

    #[test]
    fn a_recorded_body_with_any_key_replaced_is_read_or_refused(
        body in prop::sample::select(samples()),
        which in any::<prop::sample::Index>(),
        inside in any::<bool>(),
        value in any_json(),
    ) {
        let mut body: Value = serde_json::from_str(&body).unwrap();
        let object = part(&mut body, inside);
        let key = object.keys().nth(which.index(object.len())).unwrap().clone();
        object.insert(key, value);

        if let Ok(event) = parse(body.to_string().as_bytes()) {
            for text in [&event.uid, &event.reschedule_uid].into_iter().flatten() {
                prop_assert!(!text.is_empty() && !text.chars().any(char::is_control));
            }
            prop_assert!(event.booking.is_none_or(|booking| booking.start <= booking.end));
        }
    }

    #[test]
    fn a_recorded_body_cut_or_with_bytes_changed_is_read_or_refused(
        body in prop::sample::select(samples()),
        end in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = body.into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let cut = end.index(bytes.len());

        let part = parse(&bytes[..cut]);
        let padded = parse(&[&bytes[..cut], b" \n"].concat());

        prop_assert_eq!(part, padded);
    }
}
