use proptest::prelude::*;

use super::*;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-6][0-9]([+-][0-9]{2}:[0-9]{2}|Z))?"
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

const NAMES: [&str; 20] = [
    "id",
    "event",
    "occurred_at",
    "data",
    "vorname",
    "nachname",
    "last_name",
    "email",
    "telefon",
    "phone",
    "geburtsdatum",
    "birth_date",
    "patient_id",
    "scheduled_at",
    "duration_minutes",
    "therapist_name",
    "service_name",
    "status",
    "cancelled_at",
    "reason",
];

fn any_object() -> impl Strategy<Value = Value> {
    prop::collection::vec((prop::sample::select(NAMES.to_vec()), any_json()), 0..12).prop_map(|pairs| {
        Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

fn any_patient() -> impl Strategy<Value = ToolPatient> {
    let few = || "[ab\u{0}\u{1}]{0,3}";
    let maybe = || prop::option::of("[ab\u{0}\u{1}]{0,2}");
    (few(), maybe(), few(), maybe(), maybe(), prop::option::of(0..3_i32)).prop_map(
        |(id, first_name, last_name, email, phone, day)| ToolPatient {
            id,
            first_name,
            last_name,
            email,
            phone,
            birth_date: day.and_then(NaiveDate::from_num_days_from_ce_opt),
        },
    )
}

fn any_appointment() -> impl Strategy<Value = ToolAppointment> {
    let status = prop::sample::select(vec![
        ToolStatus::Booked,
        ToolStatus::Cancelled,
        ToolStatus::Completed,
        ToolStatus::NoShow,
    ]);
    let maybe = || prop::option::of("[ab]{0,1}");
    ("[ab]{0,2}", "[ab]{0,2}", 0..3_i64, 0..2_i32, 0..2_u32, maybe(), maybe(), status).prop_map(
        |(id, patient_id, nanos, offset, minutes, therapist_name, service_name, status)| ToolAppointment {
            id,
            patient_id,
            start_time: DateTime::from_timestamp_nanos(nanos),
            utc_offset_minutes: offset,
            duration_minutes: minutes,
            therapist_name,
            service_name,
            status,
        },
    )
}

proptest! {
    #[test]
    fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let names_an_event = serde_json::from_slice::<Value>(&body)
            .is_ok_and(|root| root["event"].as_str().is_some_and(|name| !name.is_empty()));
        prop_assert_eq!(parse(&body) != Err(ParseError::NotJson), names_an_event);
    }

    #[test]
    fn random_json_is_read_or_refused_by_a_name(
        mut body in any_object(),
        data in any_object(),
        kind in prop::sample::select(vec![
            "ping", "patient.created", "patient.deleted", "appointment.updated", "appointment.cancelled",
        ]),
    ) {
        body["event"] = kind.into();
        body["data"] = data;

        if let Err(error) = read(&body) {
            let ParseError::Unfit { field, .. } = error else { panic!("{body} is JSON") };
            prop_assert!(NAMES.contains(&field.trim_start_matches("data.")), "{}", field);
        }
    }

    #[test]
    fn canonical_patients_are_equal_only_if_the_patients_are(
        one in any_patient(), other in any_patient(),
    ) {
        prop_assert_eq!(one.canonical() == other.canonical(), one == other);
        prop_assert_eq!(one.canonical(), one.clone().canonical());
    }

    #[test]
    fn canonical_appointments_are_equal_only_if_the_appointments_are(
        one in any_appointment(), other in any_appointment(),
    ) {
        prop_assert_eq!(one.canonical() == other.canonical(), one == other);
    }
}
