//! How names, e-mails and phones are compared.
//!
//! A folded text is a key for comparing, never for showing: two texts that people take for the same fold
//! to equal keys. Folding twice changes nothing, so a stored key may be folded again.

use phonenumber::{Type, country};
use unicode_normalization::UnicodeNormalization;

/// E.164 allows 15 digits, country code included (ITU-T E.164, section 6).
const E164_DIGITS: usize = 15;
/// More digits than any prefix, country code and number have together: two numbers in one field.
const DIALLED_DIGITS: usize = 22;

/// The kinds of numbers a person may have.
const KINDS: [Type; 9] = [
    Type::FixedLine,
    Type::Mobile,
    Type::TollFree,
    Type::PremiumRate,
    Type::SharedCost,
    Type::PersonalNumber,
    Type::Voip,
    Type::Pager,
    Type::Uan,
];

/// The key of an e-mail address, or None when there is none.
///
/// The whole text is one address: nothing in it is split off or interpreted. `ß` stays distinct from `ss`,
/// because in a mailbox or a domain (IDNA 2008) they are different letters.
pub fn email(text: &str) -> Option<String> {
    let visible = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let folded: String = visible.nfc().flat_map(lower).nfc().collect();
    (!folded.is_empty()).then_some(folded)
}

/// The key of a name; empty when the text has no visible character.
///
/// Umlauts are spelled out the way Germans do without the key (`Müller` = `Mueller`), other Latin accents
/// are dropped; marks of scripts where they carry the vowels are kept.
pub fn name(text: &str) -> String {
    let mut letters = text.chars().map(plain).nfkd().flat_map(lower).nfkd().map(plain).peekable();
    let mut spelled = String::with_capacity(text.len());
    while let Some(c) = letters.next() {
        let umlaut = letters.peek() == Some(&'\u{308}');
        match c {
            'a' if umlaut => spelled.push_str("ae"),
            'o' if umlaut => spelled.push_str("oe"),
            'u' if umlaut => spelled.push_str("ue"),
            'ß' => spelled.push_str("ss"),
            'æ' => spelled.push_str("ae"),
            'ø' | 'œ' => spelled.push_str("oe"),
            'þ' => spelled.push_str("th"),
            'ł' => spelled.push('l'),
            'đ' | 'ð' => spelled.push('d'),
            'ı' => spelled.push('i'),
            '\u{300}'..='\u{36f}' => {}
            c if is_invisible(c) => {}
            c => spelled.push(c),
        }
    }
    let composed: String = spelled.nfc().collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The phone number in E.164 (`+4930123456`), or None when the text is not one possible number.
///
/// `default_region` is the ISO 3166 code of the country a number without country code belongs to, e.g. `DE`.
/// A label in front (`Tel. 030 …`) and a remark behind (`… (mobil)`) are dropped, an extension or a second
/// number makes the text no number: better no key than one that joins strangers.
pub fn phone(text: &str, default_region: &str) -> Option<String> {
    let dialled = dialled(text)?;
    // An international number is read by its own country's rules: those of the default region would take
    // the zero away that an Italian number keeps.
    let region = match dialled.starts_with('+') {
        true => None,
        false => Some(default_region.trim().to_ascii_uppercase().parse::<country::Id>().ok()?),
    };
    let key = e164(&dialled, region)?;
    // Some plans read a digit of a national number as a prefix; a key that does not read back as itself
    // would be two keys.
    (key == dialled || e164(&key, None).as_ref() == Some(&key)).then_some(key)
}

/// Loads the numbering plans, about 45 ms of work that the first call of [`phone`] would pay.
pub fn warm_up() {
    let _ = phone("030 1234567", "DE");
}

/// The digits of a number in the order they are dialled, with a leading `+` if it is international.
fn dialled(text: &str) -> Option<String> {
    let start = text.find(|c| matches!(c, '+' | '＋') || digit(c).is_some())?;
    let (label, number) = text.split_at(start);
    if label.contains('@') {
        return None;
    }
    let mut dialled = String::with_capacity(DIALLED_DIGITS);
    let mut rest = number.chars();
    for c in rest.by_ref() {
        match digit(c) {
            Some(digit) => dialled.push(digit),
            None if matches!(c, '+' | '＋') && dialled.is_empty() => dialled.push('+'),
            None if is_separator(c) || is_invisible(c) => {}
            None if c.is_alphabetic() => break,
            None => return None,
        }
        if dialled.len() > DIALLED_DIGITS {
            return None;
        }
    }
    if rest.any(|c| digit(c).is_some() || c == '@') {
        return None;
    }
    // Every region that dials abroad with another prefix than 00 has no number beginning with 00 either.
    match dialled.strip_prefix("00") {
        Some(abroad) => Some(format!("+{}", abroad.trim_start_matches('0'))),
        None => Some(dialled),
    }
}

fn e164(dialled: &str, region: Option<country::Id>) -> Option<String> {
    let number = phonenumber::parse(region, dialled).ok()?;
    let (code, national) = (number.code().value(), number.national().to_string());
    is_possible(code, &national).then(|| format!("+{code}{national}"))
}

/// Whether a country with this code has numbers of this shape, assigned or not: plans grow faster than
/// the crate's data about who uses which block.
fn is_possible(code: u16, national: &str) -> bool {
    let plans = phonenumber::metadata::DATABASE.by_code(&code).unwrap_or_default();
    let fits = plans.iter().any(|plan| {
        // The crate anchors the shape at the front only and knows lengths per kind of number only.
        let lengths =
            KINDS.iter().filter_map(|kind| plan.descriptors().get(*kind)).map(|kind| kind.possible_length());
        lengths.flatten().any(|length| usize::from(*length) == national.len())
            && plan.descriptors().general().is_match(national)
    });
    fits && code.to_string().len() + national.len() <= E164_DIGITS
}

/// ASCII and full-width digits.
fn digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '０'..='９' => char::from_digit(c as u32 - '０' as u32, 10),
        _ => None,
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '/' | '-' | '.' | '(' | ')' | '[' | ']' | '~' | '\u{2010}'..='\u{2015}' | '−')
}

/// Lower case letter by letter. The final sigma is no letter of its own: where a word ends must not matter.
fn lower(c: char) -> std::char::ToLowercase {
    if c == 'ς' { 'σ'.to_lowercase() } else { c.to_lowercase() }
}

/// The keyboard's apostrophe and hyphen for the typographic ones.
fn plain(c: char) -> char {
    match c {
        '’' | '‘' | '‛' | '`' | '´' | 'ʼ' | '′' => '\'',
        '\u{2010}'..='\u{2015}' | '−' => '-',
        c if c.is_control() && c.is_whitespace() => ' ',
        c => c,
    }
}

/// Characters that take part in no comparison because nobody sees them.
fn is_invisible(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn german(text: &str) -> Option<String> {
        phone(text, "DE")
    }

    #[test]
    fn an_email_is_trimmed_and_lower_cased_in_every_script() {
        assert_eq!(email(" Erika.MUSTER@Example.ORG\u{a0}\n").as_deref(), Some("erika.muster@example.org"));
        assert_eq!(email("ÄRZTIN@beispiel.example"), email("a\u{308}rztin@BEISPIEL.example"));
        assert_eq!(email("ΟΔΟΣ@x.example"), email("οδος@x.example"));
    }

    #[test]
    fn an_email_is_never_split() {
        let odd = "a@b.com,booking_email.eq.x@y.de";

        assert_eq!(email(odd).as_deref(), Some(odd));
    }

    #[test]
    fn different_mailboxes_stay_different() {
        assert_ne!(email("strasse@x.example"), email("straße@x.example"));
        assert_ne!(email("erika+a@x.example"), email("erika@x.example"));
    }

    #[test]
    fn an_email_without_a_visible_character_is_none() {
        assert_eq!((email(""), email(" \t\u{feff}")), (None, None));
    }

    #[test]
    fn names_fold_umlauts_accents_case_and_white_space() {
        for (one, other) in [
            ("Müller", "MUELLER"),
            ("Mu\u{308}ller", "Mueller"),
            ("Strauß", "Strauss"),
            ("STRAUẞ", "strauss"),
            ("  Anna \t Maria\u{a0}", "anna maria"),
            ("René Łuczak", "rene luczak"),
            ("O’Neill", "o'neill"),
            ("O´Neill", "o'neill"),
            ("Anna–Maria", "anna-maria"),
            ("Søren", "Soeren"),
            ("İnci", "inci"),
            ("Mu\u{ad}ster", "Muster"),
        ] {
            assert_eq!(name(one), name(other), "{one} and {other}");
        }
        assert_ne!(name("Müller"), name("Möller"));
    }

    #[test]
    fn vowels_of_other_scripts_are_kept() {
        assert_ne!(name("की"), name("कु"));
    }

    #[test]
    fn every_spelling_of_a_german_number_converges() {
        for text in [
            "+49 30 1234567",
            "0049 30 1234567",
            "00 49 (0)30 123 45 67",
            "+49 (0) 30 / 1234567",
            "(+49) 30-1234567",
            "030/1234567",
            "(030) 123-4567",
            "030 – 12 34 567",
            "Tel.: 030 1234567",
            "030 1234567 (privat)",
            "０３０ 1234567",
        ] {
            assert_eq!(german(text).as_deref(), Some("+49301234567"), "{text}");
        }
        assert_eq!(german("0171/2345678").as_deref(), Some("+491712345678"));
    }

    #[test]
    fn the_region_is_the_callers() {
        assert_eq!(phone("0664 1234567", "AT").as_deref(), Some("+436641234567"));
        assert_eq!(phone("0664 1234567", "at").as_deref(), Some("+436641234567"));
        assert_eq!(phone("(212) 555-0123", "US").as_deref(), Some("+12125550123"));
        assert_eq!(phone("011 49 30 1234567", "US").as_deref(), Some("+49301234567"));
        assert_eq!(german("+39 06 1234567").as_deref(), Some("+39061234567"));
        assert_eq!(phone("06 1234567", "IT").as_deref(), Some("+39061234567"));
        assert_eq!((phone("030 1234567", "nowhere"), phone("030 1234567", "")), (None, None));
        assert_eq!(phone("+49 30 1234567", "").as_deref(), Some("+49301234567"));
    }

    #[test]
    fn a_number_that_would_have_two_keys_has_none() {
        assert_eq!(phone("0129186236584", "CN"), None);
    }

    #[test]
    fn what_is_not_one_possible_number_is_none() {
        for text in [
            "",
            "-",
            "keine",
            "1",
            "12",
            "+",
            "+49",
            "00",
            "+999 123456789",
            "+1 212 555 01234",
            "+1 112 555 0123",
            "030 1234567 oder 0171 2345678",
            "030 1234567 / 0171 2345678",
            "030 1234567 Apparat 12",
            "030 12345678901234567890",
            "erika1980@example.org",
            "4,91711E+12",
            "030 #12",
        ] {
            assert_eq!(german(text), None, "{text}");
        }
    }

    #[test]
    fn every_single_character_folds_once() {
        // Letters with a case or a decomposition end in the second plane, apart from Chinese ones.
        for c in '\0'..='\u{1ffff}' {
            let text = format!("a{c}b{c}");
            let (folded, mail) = (name(&text), email(&text).unwrap_or_default());
            assert_eq!(name(&folded), folded, "name with {:x}", c as u32);
            assert_eq!(email(&mail).unwrap_or_default(), mail, "email with {:x}", c as u32);
        }
    }

    /// Texts rich in what folding treats specially.
    fn odd_text() -> impl Strategy<Value = String> {
        let odd = prop::char::ranges(
            vec!['a'..='z', 'À'..='ſ', '\u{300}'..='\u{345}', 'Ͱ'..='Ͽ', ' '..='/'].into(),
        );
        prop_oneof![".*", prop::collection::vec(odd, 0..12).prop_map(String::from_iter)]
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in odd_text()) {
            let folded = name(&text);
            prop_assert_eq!(name(&folded), folded);
            if let Some(folded) = email(&text) {
                prop_assert_eq!(email(&folded), Some(folded));
            }
        }

        #[test]
        fn case_never_separates_two_names(text in "[a-zäöüßéèñçA-ZÄÖÜ' -]{0,20}") {
            prop_assert_eq!(name(&text.to_uppercase()), name(&text));
        }

        #[test]
        fn a_phone_key_is_e164_and_stays_the_same(
            text in "(\\+|00|0)?[0-9]{1,17}",
            region in "DE|AT|CH|IT|US|CN|BR|LT",
        ) {
            if let Some(key) = phone(&text, &region) {
                let digits = key.strip_prefix('+').unwrap_or_default();
                prop_assert!((1..=15).contains(&digits.len()), "{}", key);
                prop_assert!(digits.bytes().all(|digit| digit.is_ascii_digit()), "{}", key);
                prop_assert_eq!(phone(&key, &region), Some(key));
            }
        }

        #[test]
        fn no_text_breaks_the_phone_reader(text in "\\PC{0,24}", region in "[A-Z]{2}") {
            let _ = phone(&text, &region);
        }
    }
}
