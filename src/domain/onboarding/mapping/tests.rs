use super::*;
use crate::provider::asana::{EnumOption, FieldSubtype, NumberFormat, Project};

fn option(gid: &str, name: &str) -> EnumOption {
    EnumOption { gid: gid.into(), name: Some(name.into()), color: Some("blue".into()), enabled: true }
}

fn field(gid: &str, name: &str, subtype: FieldSubtype) -> CustomField {
    CustomField {
        gid: gid.into(),
        name: Some(name.into()),
        subtype,
        description: None,
        format: None,
        precision: None,
        currency_code: None,
        custom_label: None,
        options: Vec::new(),
        is_global: true,
        is_read_only: false,
    }
}

fn project(gid: &str, fields: &[&str]) -> Project {
    Project {
        gid: gid.into(),
        name: Some("Wohnhaus am Wall".into()),
        archived: false,
        completed: false,
        start_on: None,
        due_on: None,
        created_at: None,
        modified_at: None,
        owner: None,
        workspace: None,
        permalink_url: None,
        field_gids: Some(fields.iter().map(ToString::to_string).collect()),
    }
}

fn found() -> Found {
    let area = CustomField {
        options: vec![option("11", "Produktion"), option("12", "Montage"), option("13", "Verwaltung")],
        ..field("1", "Bereich", FieldSubtype::Enum)
    };
    let hours = CustomField {
        format: Some(NumberFormat::Plain),
        precision: Some(2),
        ..field("2", "Soll-Stunden", FieldSubtype::Number)
    };
    let duration =
        CustomField { format: Some(NumberFormat::Duration), ..field("3", "Dauer", FieldSubtype::Number) };
    let kind = field("4", "Art", FieldSubtype::Enum);
    Found {
        fields: vec![area, hours, duration, kind],
        projects: vec![project("100", &["1", "2"]), project("200", &["4"])],
        is_cut: false,
    }
}

fn mapping() -> NewMapping {
    NewMapping {
        area_field: "1".into(),
        options: vec![("11".into(), Some(Area::Production)), ("12".into(), Some(Area::Assembly))],
        hours_field: Some("2".into()),
        absences: Absences { source: AbsenceSource::OutOfOffice, project: None, kind_field: None },
    }
}

/// The fields that are complained of.
fn refused(new: NewMapping) -> Vec<String> {
    match check(&found(), new) {
        Err(Error::Invalid(violations)) => violations.into_iter().map(|one| one.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mapping_that_fits_knows_every_option_and_ignores_the_rest() {
    let checked = check(&found(), mapping()).unwrap();

    assert_eq!(checked.areas["11"], Some(Area::Production));
    assert_eq!(checked.areas["12"], Some(Area::Assembly));
    assert_eq!(checked.areas["13"], None);
    assert_eq!(checked.hours_precision(), Some(2));
}

#[test]
fn the_area_is_mandatory_and_must_have_options() {
    assert_eq!(
        refused(NewMapping { area_field: "99".into(), ..mapping() }),
        ["field_mapping.area_field_gid"]
    );
    let of_number = refused(NewMapping { area_field: "2".into(), options: vec![], ..mapping() });
    assert_eq!(of_number, ["field_mapping.area_field_gid", "field_mapping.options"]);
}

#[test]
fn an_area_field_whose_options_mean_nothing_is_refused() {
    let ignored = vec![("11".into(), None)];
    assert_eq!(refused(NewMapping { options: ignored, ..mapping() }), ["field_mapping.options"]);
}

#[test]
fn options_of_other_fields_and_doubled_ones_are_refused() {
    let mut strange = mapping();
    strange.options.push(("77".into(), Some(Area::Production)));
    strange.options.push(("11".into(), Some(Area::Assembly)));

    assert_eq!(
        refused(strange),
        ["field_mapping.options[2].option_gid", "field_mapping.options[3].option_gid"]
    );
}

#[test]
fn hours_are_never_read_from_a_duration_or_from_what_is_no_number() {
    for field in ["3", "1", "99"] {
        let refused = refused(NewMapping { hours_field: Some(field.into()), ..mapping() });
        assert_eq!(refused, ["field_mapping.hours_field_gid"], "{field}");
    }
    assert!(check(&found(), NewMapping { hours_field: None, ..mapping() }).unwrap().hours_field.is_none());
}

#[test]
fn absences_of_a_project_need_the_project_and_those_of_no_project_need_none() {
    let with = |source, project: Option<&str>, kind: Option<&str>| NewMapping {
        absences: Absences { source, project: project.map(Into::into), kind_field: kind.map(Into::into) },
        ..mapping()
    };

    assert_eq!(refused(with(AbsenceSource::Project, None, None)), ["field_mapping.absence_project_gid"]);
    assert_eq!(
        refused(with(AbsenceSource::Project, Some("300"), None)),
        ["field_mapping.absence_project_gid"]
    );
    assert_eq!(
        refused(with(AbsenceSource::Project, Some("100"), Some("4"))),
        ["field_mapping.absence_kind_field_gid"]
    );
    assert_eq!(
        refused(with(AbsenceSource::OutOfOffice, Some("200"), Some("4"))),
        ["field_mapping.absence_project_gid", "field_mapping.absence_kind_field_gid"]
    );
    check(&found(), with(AbsenceSource::Project, Some("200"), Some("4"))).unwrap();
}

#[test]
fn saving_what_was_saved_before_asks_for_nothing_to_be_read_again() {
    let checked = check(&found(), mapping()).unwrap();
    let (first, second) = (Utc::now(), Utc::now() + chrono::TimeDelta::minutes(5));
    let id = IntegrationId::new();
    let saved = checked.settings(PlanningSettings::new(id, first), false, first);
    let areas = checked.area_mappings(id);
    assert_eq!(saved.mapping_time, Some(first));

    assert!(means_the_same(&saved, &areas, &checked));
    assert_eq!(checked.settings(saved.clone(), true, second).mapping_time, Some(first));

    let swapped = NewMapping { options: vec![("11".into(), Some(Area::Assembly))], ..mapping() };
    let swapped = check(&found(), swapped).unwrap();
    assert!(!means_the_same(&saved, &areas, &swapped));
    assert_eq!(swapped.settings(saved, false, second).mapping_time, Some(second));
}
