//! How alike two names are, however they are spelled, swapped or doubled.

use strsim::jaro_winkler;

use super::Person;
use crate::fold;

/// How alike two words of a name must be (Jaro-Winkler, 0 to 1). `Anna`/`Anne` and `Müller`/`Möller` pass,
/// `Lisa`/`Lina` and `Erika`/`Max` do not.
pub const WORD_ALIKE: f64 = 0.88;
/// What an initial is worth beside a word that begins with it: enough, and never more than a misspelling.
pub const INITIAL_ALIKE: f64 = 0.88;
/// How equal last names must be when a first name is missing and cannot speak.
pub const LONE_LAST_NAME_ALIKE: f64 = 0.97;

/// Words that say nothing about who somebody is.
const TITLES_AND_PARTICLES: [&str; 18] = [
    "dr", "prof", "med", "dent", "dipl", "ing", "herr", "frau", "von", "vom", "van", "de", "der", "den",
    "di", "da", "zu", "zur",
];

/// Spellings that sound alike in German names, in the order they are replaced.
const SAME_SOUND: [(&str, &str); 9] = [
    ("ay", "ei"),
    ("ai", "ei"),
    ("ey", "ei"),
    ("ph", "f"),
    ("th", "t"),
    ("dt", "t"),
    ("tt", "t"),
    ("ck", "k"),
    ("y", "i"),
];

/// A similar name: how alike (0 to 1), and whether first and last name both spoke.
#[derive(Clone, Copy)]
pub(super) struct NameAlike {
    pub(super) alike: f64,
    pub(super) full: bool,
}

/// How alike two people's names are, or None when they are not similar.
pub(super) fn alike(one: &Person<'_>, other: &Person<'_>) -> Option<NameAlike> {
    let (first, last) = (words(one.first_name.unwrap_or_default()), words(one.last_name));
    let (other_first, other_last) = (words(other.first_name.unwrap_or_default()), words(other.last_name));

    if first.is_empty() || other_first.is_empty() {
        // A whole name may sit in the last-name field: `Erika Muster` beside Erika and Muster.
        let (all, other_all) = ([first, last].concat(), [other_first, other_last].concat());
        let full = all.len().min(other_all.len()) >= 2;
        let needed = if full { WORD_ALIKE } else { LONE_LAST_NAME_ALIKE };
        let alike = if full { words_alike(&all, &other_all) } else { lone_alike(&all, &other_all) };
        return alike.filter(|alike| *alike >= needed).map(|alike| NameAlike { alike, full });
    }
    let both = |a: Option<f64>, b: Option<f64>| Some((a? + b?) / 2.0);
    let straight = both(words_alike(&first, &other_first), words_alike(&last, &other_last));
    let swapped = both(words_alike(&first, &other_last), words_alike(&last, &other_first));
    let alike = straight.into_iter().chain(swapped).reduce(f64::max)?;
    Some(NameAlike { alike, full: true })
}

/// The folded words of a name, without titles and particles unless there is nothing else.
pub(super) fn words(name: &str) -> Vec<String> {
    let folded = fold::name(name);
    let split = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let (idle, telling): (Vec<_>, Vec<_>) =
        split.map(String::from).partition(|w| TITLES_AND_PARTICLES.contains(&&**w));
    if telling.is_empty() { idle } else { telling }
}

/// How alike two lists of words are when every word of the shorter one must find its own in the longer one,
/// so that `Anna` is alike `Anna-Maria`. None when a word finds none.
fn words_alike(one: &[String], other: &[String]) -> Option<f64> {
    // The same pair in the same order, whoever asks: greedy pairing must not depend on it.
    let (short, long) = if (one.len(), one) <= (other.len(), other) { (one, other) } else { (other, one) };
    let mut free: Vec<&String> = long.iter().collect();
    let mut sum = 0.0;
    for word in short {
        let alike = free.iter().map(|candidate| word_alike(word, candidate));
        let (at, best) = alike.enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        if best < WORD_ALIKE {
            return None;
        }
        free.swap_remove(at);
        sum += best;
    }
    (!short.is_empty()).then(|| sum / short.len() as f64)
}

/// How alike two last names are when a first name is missing: the only word of the one must be the last
/// word of the other, where the family name stands.
fn lone_alike(one: &[String], other: &[String]) -> Option<f64> {
    Some(word_alike(one.last()?, other.last()?))
}

fn word_alike(one: &str, other: &str) -> f64 {
    // Jaro pairs letters greedily, so the order of its arguments can matter.
    let (one, other) = if one <= other { (one, other) } else { (other, one) };
    let is_initial = |word: &str| word.chars().count() == 1;
    if one != other && (is_initial(one) || is_initial(other)) {
        return if one.chars().next() == other.chars().next() { INITIAL_ALIKE } else { 0.0 };
    }
    let written = jaro_winkler(one, other);
    let (one, other) = (sound(one), sound(other));
    let spoken = if one <= other { jaro_winkler(&one, &other) } else { jaro_winkler(&other, &one) };
    // Sounding alike is a little less than being written alike: Meier and Mayer stay two spellings.
    written.max(spoken * 0.98)
}

fn sound(word: &str) -> String {
    let mut sound = word.to_string();
    for (written, spoken) in SAME_SOUND {
        sound = sound.replace(written, spoken);
    }
    match sound.strip_prefix('c') {
        Some(rest) if !rest.starts_with('h') => format!("k{rest}"),
        _ => sound,
    }
}
