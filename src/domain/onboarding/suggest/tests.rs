use proptest::prelude::*;

use super::*;

const PLAIN: FieldKind = FieldKind::Number(NumberFormat::Plain);

fn field<'a>(gid: &'a str, name: &'a str, kind: FieldKind) -> Candidate<'a> {
    Candidate { gid, name, kind, is_read_only: false, is_global: true }
}

fn best_gid(role: FieldRole, fields: &[Candidate<'_>]) -> Option<String> {
    best(role, fields).map(|suggestion| suggestion.gid)
}

#[test]
fn every_usual_name_is_an_exact_one_however_it_is_written() {
    for name in ["Bereich", "BEREICH", "area", "Arbeitsbereich", "Produktion/Montage", "Produktion / Montage"]
    {
        let found = closeness(FieldRole::Area, &field("1", name, FieldKind::Enum));
        assert_eq!(found, Some(Closeness::Exact), "{name}");
    }
    for name in ["Soll-Stunden", "Sollstunden", "soll stunden", "Budget", "Stunden", "Hours", " Aufwand "] {
        let found = closeness(FieldRole::Hours, &field("1", name, PLAIN));
        assert_eq!(found, Some(Closeness::Exact), "{name}");
    }
}

#[test]
fn a_name_that_holds_a_usual_one_is_a_partial_one() {
    for name in ["Bereich (intern)", "Unser Arbeitsbereich", "Work area"] {
        let found = closeness(FieldRole::Area, &field("1", name, FieldKind::Enum));
        assert_eq!(found, Some(Closeness::Partial), "{name}");
    }
    for name in ["Stunden geplant", "Planned hours", "Aufwand in h"] {
        let found = closeness(FieldRole::Hours, &field("1", name, PLAIN));
        assert_eq!(found, Some(Closeness::Partial), "{name}");
    }
}

#[test]
fn other_names_are_not_suggested() {
    for name in ["Priorität", "", "—", "Stund"] {
        assert_eq!(closeness(FieldRole::Area, &field("1", name, FieldKind::Enum)), None, "{name}");
        assert_eq!(closeness(FieldRole::Hours, &field("1", name, PLAIN)), None, "{name}");
    }
}

#[test]
fn hours_that_were_spent_are_not_those_that_were_planned() {
    for name in ["Ist-Stunden", "Iststunden", "Actual hours", "Stunden (tatsächlich)"] {
        assert_eq!(closeness(FieldRole::Hours, &field("1", name, PLAIN)), None, "{name}");
    }
}

#[test]
fn a_type_that_does_not_fit_is_never_suggested() {
    for kind in [PLAIN, FieldKind::MultiEnum, FieldKind::Text, FieldKind::Date, FieldKind::People] {
        assert_eq!(closeness(FieldRole::Area, &field("1", "Bereich", kind)), None, "{kind:?}");
    }
    for kind in [FieldKind::Enum, FieldKind::Text, FieldKind::Other] {
        assert_eq!(closeness(FieldRole::Hours, &field("1", "Soll-Stunden", kind)), None, "{kind:?}");
    }
}

#[test]
fn numbers_whose_unit_nobody_knows_are_no_hours() {
    use NumberFormat::{Currency, Duration, Identifier, Other, Percentage};
    for format in [Duration, Percentage, Currency, Identifier, Other] {
        let refused = FieldRole::Hours.takes(FieldKind::Number(format), false);
        assert_eq!(refused, Err(Unfit::UnitUnknown), "{format:?}");
        let found = closeness(FieldRole::Hours, &field("1", "Soll-Stunden", FieldKind::Number(format)));
        assert_eq!(found, None, "{format:?}");
    }
}

#[test]
fn a_computed_field_holds_no_hours_that_could_be_written() {
    assert_eq!(FieldRole::Hours.takes(PLAIN, true), Err(Unfit::ReadOnly));
    assert_eq!(FieldRole::Area.takes(FieldKind::Enum, true), Ok(()));
}

#[test]
fn an_exact_name_goes_before_a_partial_one_and_a_better_word_before_another() {
    let fields = [
        field("1", "Bereichsleitung", FieldKind::Enum),
        field("2", "Area", FieldKind::Enum),
        field("3", "Bereich", FieldKind::Enum),
        field("4", "Budget", PLAIN),
        field("5", "Sollstunden", PLAIN),
    ];

    assert_eq!(best_gid(FieldRole::Area, &fields).as_deref(), Some("3"));
    assert_eq!(best_gid(FieldRole::Area, &fields[..2]).as_deref(), Some("2"));
    assert_eq!(best_gid(FieldRole::Area, &fields[..1]).as_deref(), Some("1"));
    assert_eq!(best_gid(FieldRole::Hours, &fields).as_deref(), Some("5"));
}

#[test]
fn of_two_alike_the_whole_workspaces_goes_before_a_projects_own() {
    let own = Candidate { is_global: false, ..field("1", "Bereich", FieldKind::Enum) };
    let shared = field("2", "Bereich", FieldKind::Enum);

    assert_eq!(best_gid(FieldRole::Area, &[own, shared]).as_deref(), Some("2"));
}

#[test]
fn options_that_name_one_area_are_that_area_and_the_rest_is_none() {
    let of = |option| area(option);

    assert_eq!(of("Produktion"), Some(Area::Production));
    assert_eq!(of("PRODUCTION"), Some(Area::Production));
    assert_eq!(of("Montage außen"), Some(Area::Assembly));
    assert_eq!(of("Vormontage"), Some(Area::Assembly));
    assert_eq!(of("Produktion/Montage"), None);
    assert_eq!(of("Verwaltung"), None);
    assert_eq!(of(""), None);
}

proptest! {
    /// Whatever the order in which they are listed.
    #[test]
    fn the_suggestion_does_not_depend_on_the_order_of_the_fields(
        names in proptest::collection::vec("(Bereich|Area|Bereich alt|Zone|Arbeitsbereich)", 1..8),
        turn in 0usize..8,
    ) {
        let gids: Vec<String> = (0..names.len()).map(|nth| nth.to_string()).collect();
        let mut fields: Vec<_> = gids
            .iter()
            .zip(&names)
            .map(|(gid, name)| field(gid, name, FieldKind::Enum))
            .collect();
        let before = best(FieldRole::Area, &fields);
        let turn = turn % fields.len();
        fields.rotate_left(turn);

        prop_assert_eq!(best(FieldRole::Area, &fields), before);
    }
}
