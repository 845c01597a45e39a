//! The fields of a phase that both sides can change, one by one: what is compared, merged and reverted.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::phase::{PhaseChangeTimes, PhaseFields};
use crate::words::{Area, PhaseField};

/// The value of a field; none of them is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    Date(Option<NaiveDate>),
    Hours(Option<Decimal>),
    Area(Option<Area>),
}

impl Value {
    /// As rows of conflicts keep it.
    pub fn text(self) -> Option<String> {
        match self {
            Self::Date(date) => date.map(|date| date.to_string()),
            Self::Hours(hours) => hours.map(|hours| hours.normalize().to_string()),
            Self::Area(area) => area.map(|area| area.to_string()),
        }
    }

    /// What such a text says; nothing if it does not fit the field.
    pub fn read(field: PhaseField, text: Option<&str>) -> Option<Self> {
        Some(match (field, text) {
            (PhaseField::StartDate | PhaseField::DueDate, None) => Self::Date(None),
            (PhaseField::StartDate | PhaseField::DueDate, Some(text)) => Self::Date(Some(text.parse().ok()?)),
            (PhaseField::PlannedHours, None) => Self::Hours(None),
            (PhaseField::PlannedHours, Some(text)) => Self::Hours(Some(text.parse().ok()?)),
            (PhaseField::Area, None) => Self::Area(None),
            (PhaseField::Area, Some(text)) => Self::Area(Some(text.parse().ok()?)),
        })
    }
}

impl PhaseFields {
    pub fn get(&self, field: PhaseField) -> Value {
        match field {
            PhaseField::StartDate => Value::Date(self.start_date),
            PhaseField::DueDate => Value::Date(self.due_date),
            PhaseField::PlannedHours => Value::Hours(self.planned_hours),
            PhaseField::Area => Value::Area(self.area),
        }
    }

    /// False, and nothing is done, if the value is none of the field's.
    pub fn set(&mut self, field: PhaseField, value: Value) -> bool {
        match (field, value) {
            (PhaseField::StartDate, Value::Date(date)) => self.start_date = date,
            (PhaseField::DueDate, Value::Date(date)) => self.due_date = date,
            (PhaseField::PlannedHours, Value::Hours(hours)) => self.planned_hours = hours,
            (PhaseField::Area, Value::Area(area)) => self.area = area,
            _ => return false,
        }
        true
    }

    /// Whether the tool could hold these dates: no start without a due date, and none after it.
    pub fn has_possible_dates(&self) -> bool {
        match (self.start_date, self.due_date) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(start), Some(due)) => start <= due,
        }
    }

    /// The form in which fields are compared: a phase of one day has no start date of its own, and hours have
    /// the places that the tool keeps of them (half a unit is rounded away from zero). Asana refuses, or used
    /// to refuse, a task that starts on its due date.
    pub fn normalize(mut self, hours_precision: Option<i16>) -> Self {
        if self.start_date == self.due_date {
            self.start_date = None;
        }
        if let Some(places) = hours_precision.and_then(|places| u32::try_from(places).ok()) {
            self.planned_hours = self.planned_hours.map(|hours| round(hours, places));
        }
        self
    }
}

impl PhaseChangeTimes {
    pub fn get(&self, field: PhaseField) -> Option<DateTime<Utc>> {
        match field {
            PhaseField::StartDate => self.start_date_change_time,
            PhaseField::DueDate => self.due_date_change_time,
            PhaseField::PlannedHours => self.planned_hours_change_time,
            PhaseField::Area => self.area_change_time,
        }
    }

    pub fn set(&mut self, field: PhaseField, time: Option<DateTime<Utc>>) {
        match field {
            PhaseField::StartDate => self.start_date_change_time = time,
            PhaseField::DueDate => self.due_date_change_time = time,
            PhaseField::PlannedHours => self.planned_hours_change_time = time,
            PhaseField::Area => self.area_change_time = time,
        }
    }
}

fn round(hours: Decimal, places: u32) -> Decimal {
    use rust_decimal::RoundingStrategy::MidpointAwayFromZero;
    hours.round_dp_with_strategy(places, MidpointAwayFromZero).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(2026, 3, day)
    }

    #[test]
    fn every_value_survives_as_text() {
        let fields = PhaseFields {
            start_date: day(2),
            due_date: day(6),
            planned_hours: Some("37.50".parse().unwrap()),
            area: Some(Area::Assembly),
        };
        for fields in [fields, PhaseFields::default()] {
            for field in PhaseField::ALL {
                let value = fields.get(*field);

                assert_eq!(Value::read(*field, value.text().as_deref()), Some(value), "{field}");
            }
        }
    }

    #[test]
    fn a_text_that_does_not_fit_the_field_is_no_value() {
        assert_eq!(Value::read(PhaseField::DueDate, Some("2026-02-30")), None);
        assert_eq!(Value::read(PhaseField::PlannedHours, Some("many")), None);
        assert_eq!(Value::read(PhaseField::Area, Some("warehouse")), None);
    }

    #[test]
    fn a_value_is_put_into_a_field_of_its_own_kind_only() {
        let mut fields = PhaseFields::default();

        assert!(fields.set(PhaseField::DueDate, Value::Date(day(6))));
        assert!(!fields.set(PhaseField::DueDate, Value::Area(Some(Area::Assembly))));

        assert_eq!(fields, PhaseFields { due_date: day(6), ..PhaseFields::default() });
    }

    #[test]
    fn a_phase_of_one_day_has_no_start_date() {
        let one_day = PhaseFields { start_date: day(6), due_date: day(6), ..PhaseFields::default() };
        let no_date = PhaseFields::default();

        assert_eq!(one_day.normalize(None).start_date, None);
        assert_eq!(no_date.clone().normalize(None), no_date);
    }

    #[test]
    fn hours_are_compared_as_the_tool_rounds_them() {
        let hours = |text: &str, places| {
            let planned_hours = Some(text.parse().unwrap());
            let rounded = PhaseFields { planned_hours, ..PhaseFields::default() }.normalize(places);
            rounded.get(PhaseField::PlannedHours).text().unwrap()
        };

        assert_eq!(hours("0.125", Some(2)), "0.13");
        assert_eq!(hours("0.1", Some(6)), hours("0.1000004", Some(6)));
        assert_eq!(hours("7.50", Some(1)), "7.5");
        assert_eq!(hours("0.5", Some(0)), "1");
        assert_eq!(hours("7.123456", None), "7.123456");
    }

    #[test]
    fn a_start_needs_a_due_date_that_is_not_before_it() {
        let possible = |start_date, due_date| {
            PhaseFields { start_date, due_date, ..PhaseFields::default() }.has_possible_dates()
        };

        assert!(possible(None, None) && possible(None, day(6)) && possible(day(6), day(6)));
        assert!(!possible(day(6), None) && !possible(day(7), day(6)));
    }
}
