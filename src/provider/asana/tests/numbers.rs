//! Numbers are decimals from end to end. Trap 25: a number that is rounded twice, or compared as a binary
//! fraction, is pushed back and forth for ever.

use proptest::prelude::*;

use super::super::custom_field::{decimal as read, json_number};
use super::*;

fn read_text(text: &str) -> Option<Decimal> {
    read(&serde_json::from_str(text).unwrap())
}

#[test]
fn a_number_reads_as_it_is_written() {
    let cases =
        ["0.1", "0.3", "1.005", "37.5", "-2.25", "0", "123456789.123456", "0.000001", "9007199254740993"];
    for text in cases {
        assert_eq!(read_text(text), Some(decimal(text)), "{text}");
    }
    assert_eq!(read_text("1e-6"), Some(decimal("0.000001")));
    assert_eq!(read_text("1.50e1"), Some(decimal("15")));
    assert_eq!(read_text("-0.0"), Some(Decimal::ZERO));
    assert_eq!(read_text("40.00").unwrap().to_string(), "40");
}

#[test]
fn what_is_no_number_or_too_large_for_one_is_not_read() {
    for text in ["null", "\"1\"", "true", "[1]", "1e300", "-1e300", "1e40"] {
        assert_eq!(read_text(text), None, "{text}");
    }
}

#[test]
fn rounding_follows_the_fields_precision_and_leaves_no_trailing_zeros() {
    let cases = [
        ("37.445", Some(2), "37.45"),
        ("37.444", Some(2), "37.44"),
        ("-0.5", Some(0), "-1"),
        ("2.5", Some(0), "3"),
        ("40.000", Some(2), "40"),
        ("0.1234567", None, "0.123457"),
        ("0.004", Some(2), "0"),
    ];
    for (number, precision, expected) in cases {
        assert_eq!(rounded(decimal(number), precision).to_string(), expected, "{number} {precision:?}");
    }
}

#[test]
fn whole_numbers_are_written_without_a_point() {
    assert_eq!(json_number(decimal("40.00")).unwrap().to_string(), "40");
    assert_eq!(json_number(decimal("37.50")).unwrap().to_string(), "37.5");
    assert_eq!(json_number(decimal("-0.000001")).unwrap().to_string(), "-1e-6");
}

#[tokio::test]
async fn a_tasks_number_is_told_as_it_is_and_what_cannot_be_read_is_not_taken_for_nothing() {
    let field = |gid: &str, value: Value| {
        json!({
            "gid": gid, "resource_subtype": "number", "number_value": value, "precision": 2, "format": "none",
        })
    };
    let fields = json!([
        field("1", json!(7.25)),
        field("2", Value::Null),
        field("3", json!("7")),
        field("4", json!(1e300))
    ]);

    let task = task(json!({ "gid": "9", "custom_fields": fields })).await;

    let content = |gid| task.field(gid).map(|field| field.content.clone());
    assert_eq!(task.number("1"), Some(decimal("7.25")));
    assert_eq!(content("2"), Some(FieldContent::Number(None)));
    assert_eq!(content("3"), Some(FieldContent::Unreadable));
    assert_eq!(content("4"), Some(FieldContent::Unreadable));
    assert_eq!(task.field("1").and_then(|field| field.precision), Some(2));
}

proptest! {
    /// What we write is what we read back, whatever its scale.
    #[test]
    fn a_number_survives_the_way_out_and_back(
        units in -999_999_999_999_999_i64..=999_999_999_999_999, scale in 0_u32..=6,
    ) {
        let number = Decimal::new(units, scale);

        let text = json_number(number).unwrap().to_string();

        prop_assert_eq!(read_text(&text), Some(number.normalize()));
    }

    /// Rounding twice is rounding once, so an echo compares equal.
    #[test]
    fn rounding_is_done_once(units in any::<i64>(), scale in 0_u32..=10, precision in 0_u32..=6) {
        let once = rounded(Decimal::new(units, scale), Some(precision));

        prop_assert_eq!(rounded(once, Some(precision)), once);
        prop_assert!(once.scale() <= precision);
    }
}
