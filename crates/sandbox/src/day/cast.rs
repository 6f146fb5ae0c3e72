//! The people of the day and their companies. All invented; every address ends in `example.com`.

use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use baton_core::id::Object;

/// One person as both systems first know them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    pub number: usize,
    pub first: String,
    pub last: String,
    /// Every e-mail address the person has in the course of the day, the first one first.
    pub emails: Vec<String>,
    pub company: String,
    pub title: String,
    pub address: Address,
    pub phone: String,
    /// What they are in the CRM, if they are there when the day begins.
    pub crm: Option<Object>,
    /// Whether they are in the MAP when the day begins.
    pub map: bool,
}

impl Person {
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first, self.last)
    }

    /// The address they begin the day with.
    #[must_use]
    pub fn email(&self) -> &str {
        self.emails.first().map_or("", String::as_str)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    pub street: String,
    pub city: &'static str,
    /// Only where post has one.
    pub state: Option<&'static str>,
    pub postal_code: String,
    pub country: &'static str,
}

const FIRST: [&str; 48] = [
    "Ada", "Anselm", "Beate", "Bram", "Cleo", "Corin", "Dagny", "Dario", "Edda", "Emil", "Faye",
    "Fenno", "Gesa", "Gwil", "Hanne", "Hugo", "Ida", "Ilmar", "Jonna", "Jules", "Kaja", "Kees",
    "Lene", "Linus", "Maud", "Milo", "Nela", "Nils", "Odile", "Orin", "Petra", "Piet", "Quinn",
    "Rasmus", "Romy", "Saskia", "Silas", "Tamsin", "Theo", "Ulla", "Urs", "Vera", "Viggo", "Wanda",
    "Wim", "Yara", "Yves", "Zora",
];

const LAST: [&str; 52] = [
    "Abelan",
    "Arkwell",
    "Bellamont",
    "Birkhof",
    "Brandvik",
    "Calder",
    "Corvane",
    "Dalgren",
    "Dunmere",
    "Eastvold",
    "Elsworth",
    "Farrano",
    "Fennimor",
    "Garrowby",
    "Glimdal",
    "Halvorn",
    "Harkdale",
    "Ilvane",
    "Isenbrook",
    "Jarlsen",
    "Jessop",
    "Kadewell",
    "Kirnbach",
    "Lanvik",
    "Lockmere",
    "Marwick",
    "Melander",
    "Nordane",
    "Nyquist",
    "Oakshott",
    "Orlane",
    "Pellworm",
    "Prestvik",
    "Quarrell",
    "Quill",
    "Ravnsborg",
    "Rookwell",
    "Sandvane",
    "Stellmark",
    "Thornby",
    "Tolvane",
    "Ulmstad",
    "Underbrook",
    "Vantorp",
    "Vesterby",
    "Wexcombe",
    "Windham",
    "Yarrow",
    "Yelland",
    "Zandler",
    "Zellwood",
    "Osmark",
];

const TREES: [&str; 24] = [
    "Alder", "Ash", "Aspen", "Beech", "Birch", "Cedar", "Cherry", "Cypress", "Elder", "Elm", "Fir",
    "Hazel", "Holly", "Juniper", "Larch", "Linden", "Maple", "Oak", "Pine", "Poplar", "Rowan",
    "Spruce", "Willow", "Yew",
];

const TRADES: [&str; 6] = [
    "Works",
    "Logistics",
    "Foods",
    "Instruments",
    "Textiles",
    "Software",
];

const TITLES: [&str; 14] = [
    "Buyer",
    "Head of Purchasing",
    "Plant Manager",
    "Chief Financial Officer",
    "Operations Lead",
    "IT Manager",
    "Sales Director",
    "Marketing Manager",
    "Office Manager",
    "Logistics Planner",
    "Quality Engineer",
    "Founder",
    "Controller",
    "Product Owner",
];

/// Titles that no MAP in this house keeps whole.
pub const LONG_TITLES: [&str; 4] = [
    "Senior Vice President of Procurement and Supplier Relations",
    "Deputy Head of Digital Transformation and Business Systems",
    "Regional Director for Logistics, Warehousing and Distribution",
    "Principal Engineer for Quality, Safety and Environmental Affairs",
];

const STREETS: [&str; 14] = [
    "Quayside",
    "Mill Lane",
    "Station Road",
    "Harbour Street",
    "Market Row",
    "Orchard Way",
    "Bridge Street",
    "Foundry Lane",
    "Chapel Hill",
    "Garden Walk",
    "Canal Road",
    "Tower Street",
    "North Parade",
    "Weaver Street",
];

/// City, state, beginning of the postal code, country, beginning of an unused phone number.
const PLACES: [(&str, Option<&str>, &str, &str, &str); 10] = [
    (
        "Chicago",
        Some("IL"),
        "606",
        "United States",
        "+1 312 555 01",
    ),
    (
        "Boston",
        Some("MA"),
        "021",
        "United States",
        "+1 617 555 01",
    ),
    (
        "Seattle",
        Some("WA"),
        "981",
        "United States",
        "+1 206 555 01",
    ),
    ("London", None, "EC", "United Kingdom", "+44 20 7946 09"),
    ("Leeds", None, "LS", "United Kingdom", "+44 113 496 09"),
    ("Berlin", None, "101", "Germany", "+49 30 231251"),
    ("Hamburg", None, "200", "Germany", "+49 40 669697"),
    ("Paris", None, "750", "France", "+33 1 99 00 27 "),
    ("Lyon", None, "690", "France", "+33 4 65 71 32 "),
    ("Nantes", None, "440", "France", "+33 2 61 91 58 "),
];

/// People who sell.
pub const SALES: [&str; 6] = [
    "Marta Ilvers",
    "Tom Ashgrove",
    "Ines Caldera",
    "Piotr Wolny",
    "Greta Holm",
    "Sam Okafer",
];

/// People who run campaigns.
pub const MARKETING: [&str; 2] = ["Nora Feld", "Jon Pike"];

/// Names of all companies.
pub fn companies() -> impl Iterator<Item = String> {
    TREES
        .iter()
        .flat_map(|tree| TRADES.iter().map(move |trade| format!("{tree} {trade}")))
}

/// `count` people: four in ten contacts in the CRM, three and a half leads, the rest known to the MAP alone;
/// of those in the CRM one in ten is unknown to the MAP.
pub fn people(rng: &mut ChaCha8Rng, count: usize) -> Vec<Person> {
    (0..count).map(|number| person(rng, number)).collect()
}

pub fn person(rng: &mut ChaCha8Rng, number: usize) -> Person {
    let first = pick(rng, &FIRST);
    let last = pick(rng, &LAST);
    let (company, domain) = company(rng);
    let email = format!(
        "{}.{}{number}@{domain}",
        first.to_lowercase(),
        last.to_lowercase()
    );
    let place = rng.random_range(0..PLACES.len());
    let crm = match rng.random_range(0..100) {
        0..40 => Some(Object::Contact),
        40..75 => Some(Object::Lead),
        _ => None,
    };
    Person {
        number,
        first: first.to_owned(),
        last: last.to_owned(),
        emails: vec![email],
        company,
        title: pick(rng, &TITLES).to_owned(),
        address: address_in(rng, place),
        phone: phone_in(rng, place),
        crm,
        map: crm.is_none() || rng.random_range(0..10) > 0,
    }
}

fn company(rng: &mut ChaCha8Rng) -> (String, String) {
    let (tree, trade) = (pick(rng, &TREES), pick(rng, &TRADES));
    let domain = format!(
        "{}-{}.example.com",
        tree.to_lowercase(),
        trade.to_lowercase()
    );
    (format!("{tree} {trade}"), domain)
}

pub fn title(rng: &mut ChaCha8Rng) -> String {
    pick(rng, &TITLES).to_owned()
}

pub fn address(rng: &mut ChaCha8Rng) -> Address {
    let place = rng.random_range(0..PLACES.len());
    address_in(rng, place)
}

pub fn phone(rng: &mut ChaCha8Rng) -> String {
    let place = rng.random_range(0..PLACES.len());
    phone_in(rng, place)
}

fn address_in(rng: &mut ChaCha8Rng, place: usize) -> Address {
    let (city, state, code, country, _) = PLACES[place % PLACES.len()];
    let postal_code = match country {
        "United Kingdom" => format!(
            "{code}{} {}AB",
            rng.random_range(1..9),
            rng.random_range(1..9)
        ),
        _ => format!("{code}{:02}", rng.random_range(0..100)),
    };
    let street = format!("{} {}", rng.random_range(1..240), pick(rng, &STREETS));
    Address {
        street,
        city,
        state,
        postal_code,
        country,
    }
}

fn phone_in(rng: &mut ChaCha8Rng, place: usize) -> String {
    let start = PLACES[place % PLACES.len()].4;
    format!("{start}{:02}", rng.random_range(0..100))
}

pub fn pick(rng: &mut ChaCha8Rng, from: &[&'static str]) -> &'static str {
    from.choose(rng).copied().unwrap_or_default()
}
