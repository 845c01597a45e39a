//! Holds P12: a likely twin never passes in silence, and a stranger is never taken for one.

use proptest::prelude::*;

use super::Reason::*;
use super::name::words;
use super::*;

fn born(text: &str) -> Option<NaiveDate> {
    Some(text.parse().unwrap())
}

fn named<'a>(first: &'a str, last: &'a str) -> Person<'a> {
    Person { first_name: Some(first).filter(|name| !name.is_empty()), last_name: last, ..Person::default() }
}

fn erika() -> Person<'static> {
    Person { birth_date: born("1980-04-03"), ..named("Erika", "Muster") }
}

fn reasons(one: &Person<'_>, other: &Person<'_>) -> Vec<Reason> {
    compare(one, other).map(|likeness| likeness.reasons).unwrap_or_default()
}

/// Whether two names are similar, seen through people born on the same day.
fn similar(one: (&str, &str), other: (&str, &str)) -> bool {
    let birth_date = born("1980-04-03");
    let one = Person { birth_date, ..named(one.0, one.1) };
    let other = Person { birth_date, ..named(other.0, other.1) };
    compare(&one, &other).is_some()
}

#[test]
fn the_same_birth_date_and_a_similar_name_is_a_likely_twin_in_spite_of_another_email() {
    let new = Person { email: Some("erika@new.example"), ..erika() };
    let known = Person { last_name: "Mustér", email: Some("e.muster@old.example"), ..erika() };

    let found = compare(&new, &known).unwrap();

    assert_eq!(found, Likeness { score: 80, reasons: vec![SameBirthDate, SimilarName] });
}

#[test]
fn the_same_birth_date_and_phone_is_a_likely_twin_whatever_the_name() {
    let new = Person { phone: Some("+49301234567"), ..erika() };
    let known = Person { last_name: "Beispiel", first_name: Some("Max"), ..new };

    assert_eq!(reasons(&new, &known), [SameBirthDate, SamePhone]);
}

#[test]
fn the_same_birth_date_alone_is_no_twin() {
    let known = Person { birth_date: erika().birth_date, ..named("Max", "Beispiel") };

    assert_eq!(compare(&erika(), &known), None);
}

#[test]
fn phone_and_name_suffice_only_while_a_birth_date_is_missing() {
    let new = Person { phone: Some("+49301234567"), ..erika() };
    let unborn = Person { birth_date: None, ..new };
    let son = Person { birth_date: born("2005-01-01"), ..new };

    assert_eq!(reasons(&new, &unborn), [SimilarName, SamePhone]);
    assert_eq!(reasons(&unborn, &unborn), [SimilarName, SamePhone]);
    assert_eq!(compare(&new, &son), None);
}

#[test]
fn a_shared_family_phone_alone_is_no_twin() {
    let new = Person { phone: Some("+49301234567"), birth_date: None, ..erika() };
    let max = Person { first_name: Some("Max"), ..new };
    let nameless = Person { first_name: None, ..new };

    assert_eq!((compare(&new, &max), compare(&new, &nameless)), (None, None));
}

#[test]
fn different_birth_dates_part_two_people_of_one_name() {
    let known = Person { birth_date: born("1980-04-04"), ..erika() };

    assert_eq!(compare(&erika(), &known), None);
}

#[test]
fn missing_data_are_never_equal() {
    let nobody = Person::default();
    let blank = Person { first_name: Some(" "), email: Some(""), phone: Some(" "), ..nobody };
    let dated = Person { birth_date: born("1980-04-03"), ..blank };

    assert_eq!(
        (compare(&nobody, &nobody), compare(&blank, &blank), compare(&dated, &dated)),
        (None, None, None)
    );
}

#[test]
fn the_same_email_adds_to_the_reasons() {
    let new = Person { email: Some("Erika@X.example"), phone: Some("+49301234567"), ..erika() };
    let known = Person { email: Some(" erika@x.example"), ..new };
    let family = Person { birth_date: None, first_name: Some("Max"), phone: None, ..known };

    let found = compare(&new, &known).unwrap();

    assert_eq!(
        found,
        Likeness { score: 100, reasons: vec![SameBirthDate, SimilarName, SamePhone, SameEmail] }
    );
    assert_eq!(compare(&new, &family), None);
}

#[test]
fn names_that_people_take_for_one_are_similar() {
    for (one, other) in [
        (("Erika", "Müller"), ("erika", "MUELLER")),
        (("Erika", "Muster"), ("Muster", "Erika")),
        (("Anna-Maria", "Muster"), ("Anna", "Muster")),
        (("Anna Maria", "Muster"), ("Maria-Anna", "Muster")),
        (("Erika", "Muster-Beispiel"), ("Erika", "Beispiel")),
        (("Erika", "Meier"), ("Erika", "Mayer")),
        (("Stephan", "Schmidt"), ("Stefan", "Schmitt")),
        (("Claudia", "Muster"), ("Klaudia", "Muster")),
        (("Erika", "von Muster"), ("Dr. Erika", "Muster")),
        (("E.", "Muster"), ("Erika", "Muster")),
        (("Erika", "Mutser"), ("Erika", "Muster")),
        (("", "Erika Muster"), ("Erika", "Muster")),
        (("", "Muster"), ("Erika", "Muster")),
    ] {
        assert!(similar(one, other), "{one:?} and {other:?}");
    }
}

#[test]
fn names_of_two_people_are_not() {
    for (one, other) in [
        (("Erika", "Muster"), ("Max", "Muster")),
        (("Erika", "Muster"), ("Erika", "Beispiel")),
        (("Lisa", "Muster"), ("Lina", "Muster")),
        (("Erika", "von Muster"), ("Erika", "von Beispiel")),
        (("Anna", "Maria"), ("Anna-Maria", "Muster")),
        (("M.", "Muster"), ("Erika", "Muster")),
        (("", "Erika"), ("Erika", "Muster")),
        (("", "Muster"), ("Erika", "Munster")),
        (("", ""), ("Erika", "Muster")),
    ] {
        assert!(!similar(one, other), "{one:?} and {other:?}");
    }
}

#[test]
fn more_reasons_weigh_more() {
    let full = Person { phone: Some("+49301234567"), ..erika() };
    let score = |known: Person<'_>| compare(&full, &known).map(|likeness| likeness.score);

    let all = score(full);
    let no_phone = score(Person { phone: None, ..full });
    let other_name = score(Person { first_name: Some("Max"), ..full });
    let no_date = score(Person { birth_date: None, ..full });

    assert_eq!((all, no_phone, other_name, no_date), (Some(100), Some(80), Some(65), Some(55)));
}

#[test]
fn reasons_are_read_back_as_written() {
    for reason in Reason::ALL {
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
    }
    assert_eq!(Reason::parse("SAME_SHOE_SIZE"), None);
}

#[derive(Clone, Debug)]
struct Someone {
    first: Option<String>,
    last: String,
    email: Option<String>,
    phone: Option<String>,
    birth_date: Option<NaiveDate>,
}

impl Someone {
    fn person(&self) -> Person<'_> {
        Person {
            first_name: self.first.as_deref(),
            last_name: &self.last,
            email: self.email.as_deref(),
            phone: self.phone.as_deref(),
            birth_date: self.birth_date,
        }
    }
}

/// A small world, so that likenesses are common.
fn someone() -> impl Strategy<Value = Someone> {
    let name = "[A-Ca-cä]{0,6}([ -][a-cy.]{0,4}){0,2}";
    let day = (1..3u32).prop_map(|day| NaiveDate::from_ymd_opt(1980, 4, day).unwrap());
    let parts = (
        prop::option::of(name),
        name,
        prop::option::of("[ab]@x"),
        prop::option::of("\\+4930[12]"),
        prop::option::of(day),
    );
    parts.prop_map(|(first, last, email, phone, birth_date)| Someone {
        first,
        last,
        email,
        phone,
        birth_date,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn who_is_compared_with_whom_does_not_matter(one in someone(), other in someone()) {
        let there = compare(&one.person(), &other.person());
        prop_assert_eq!(&there, &compare(&other.person(), &one.person()));
        if let Some(likeness) = there {
            prop_assert!(likeness.score <= 100 && likeness.reasons.len() >= 2);
        }
    }

    #[test]
    fn nobody_is_told_from_a_copy(one in someone()) {
        let has_words = |name: &str| !words(name).is_empty();
        let named = one.first.as_deref().is_some_and(has_words) && has_words(&one.last);
        let likely = compare(&one.person(), &one.person()).is_some();
        if named && (one.birth_date.is_some() || one.phone.is_some()) {
            prop_assert!(likely);
        }
    }
}
