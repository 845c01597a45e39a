//! Texts that PostgreSQL cannot keep: it takes every character but NUL.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, Value};

use super::access_rules::DESCRIPTORS;
use crate::error::{Error, Result, Violation};

static MESSAGES: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).unwrap_or_default());

/// Every field of the message that holds a NUL character.
pub(super) fn with_nul<M: Message + Name>(message: &M) -> Result<Vec<Violation>> {
    let encoded = message.encode_to_vec();
    // Hardly any message has such a byte at all, so that hardly any is looked through field by field.
    if !encoded.contains(&0) {
        return Ok(Vec::new());
    }
    let described = MESSAGES.get_message_by_name(&M::full_name());
    let described = described.ok_or_else(|| Error::internal("a message that the descriptors do not have"))?;
    let message = DynamicMessage::decode(described, encoded.as_slice()).map_err(Error::internal)?;
    let mut violations = Vec::new();
    look_through(&message, "", &mut violations);
    Ok(violations)
}

fn look_through(message: &DynamicMessage, path: &str, found: &mut Vec<Violation>) {
    for (field, value) in message.fields() {
        look_at(value, &format!("{path}{}", field.name()), found);
    }
}

fn look_at(value: &Value, path: &str, found: &mut Vec<Violation>) {
    match value {
        Value::String(text) if text.contains('\0') => found
            .push(Violation { field: path.into(), description: "must not contain NUL characters".into() }),
        Value::Message(inside) => look_through(inside, &format!("{path}."), found),
        Value::List(items) => {
            items.iter().enumerate().for_each(|(at, item)| look_at(item, &format!("{path}[{at}]"), found));
        }
        // Its keys are the caller's own words, and are not said back.
        Value::Map(entries) => {
            for (key, item) in entries {
                if let MapKey::String(key) = key {
                    look_at(&Value::String(key.clone()), path, found);
                }
                look_at(item, path, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;
    use crate::proto;

    fn fields<M: Message + Name>(message: &M) -> Vec<String> {
        with_nul(message).unwrap().into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn a_nul_is_found_wherever_it_stands() {
        let fields_of_a_patient = proto::CreatePatientRequest {
            first_name: "a\0".into(),
            email: "\0".into(),
            ..Default::default()
        };
        assert_eq!(fields(&fields_of_a_patient), ["first_name", "email"]);

        let scopes = vec!["patients:read".into(), "\0".into()];
        let listed = proto::CreateApiKeyRequest { scopes, ..Default::default() };
        assert_eq!(fields(&listed), ["scopes[1]"]);
    }

    #[test]
    fn what_is_no_text_may_hold_the_byte() {
        let start_time = Some(Timestamp { seconds: 0, nanos: 0 });
        assert_eq!(fields(&proto::HoldSlotRequest { start_time, ..Default::default() }), [""; 0]);

        let chunk = proto::UploadPatientImportChunkRequest { data: vec![0; 8], ..Default::default() };
        assert_eq!(fields(&chunk), [""; 0]);
    }
}
