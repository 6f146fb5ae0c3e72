//! One slip in the shipped configuration is one problem, on the line where it was made; twenty are twenty.

use std::{collections::BTreeMap, fs, path::PathBuf};

use baton_config::{Loaded, load_from};

use crate::base::environment;

pub type Files = BTreeMap<PathBuf, String>;

pub fn shipped() -> Files {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut files = Files::new();
    for folder in ["", "vocabularies", "holidays"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ext| ext == "toml") {
                let name = PathBuf::from(folder).join(path.file_name().unwrap());
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

struct Slip {
    file: &'static str,
    /// A text that stands in the file once.
    right: &'static str,
    wrong: &'static str,
    code: &'static str,
    /// What the problem points at begins so.
    token: &'static str,
}

const fn slip(
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
    code: &'static str,
    token: &'static str,
) -> Slip {
    Slip {
        file,
        right,
        wrong,
        code,
        token,
    }
}

#[rustfmt::skip]
const SLIPS: &[Slip] = &[
    slip("person.toml", "requires = [\"country\"]", "requires = [\"contry\"]", "unknown-field", "\"contry\""),
    slip("person.toml", "until = \"mql\"", "until = \"mqll\"", "unknown-stage", "\"mqll\""),
    slip("person.toml", "after = { only = \"crm\" }", "after = { only = \"crmm\" }", "unknown-system", "\"crmm\""),
    slip("person.toml", "rule = \"union\"", "rule = \"unoin\"", "unknown-strategy", "\"unoin\""),
    slip("person.toml", "type = \"multi_select\"", "type = \"multiselekt\"", "unknown-type", "\"multiselekt\""),
    slip("person.toml", "type = \"multi_select\"\n", "", "strategy-wrong-type", "\"union\""),
    slip("person.toml", "type = \"email\"", "type = \"phone\"", "identity-wrong-type", "\"email\""),
    slip("person.toml", "protect_manual_for = \"180d\"\n\n[person.fields.first_name]", "protect_manual_for = \"180 days\"\n\n[person.fields.first_name]", "bad-duration", "\"180 days\""),
    slip("person.toml", "[person.fields.birthday]\ntype = \"date\"", "[person.fields.birthday]\ntype = \"date\"\nprotect_manual_for = \"0d\"", "duration-out-of-range", "\"0d\""),
    slip("person.toml", "on_blank = \"hold\"", "on_blank = \"keep\"", "unknown-choice", "\"keep\""),
    slip("person.toml", "on_blank = \"hold\"", "on_blnk = \"hold\"", "unknown-strategy", "on_blnk"),
    slip("person.toml", "rule = \"first\"", "rule = \"first\"\nclear = \"propagate\"", "destructive-clear", "\"propagate\""),
    slip("person.toml", "[person.fields.email_opt_out]\ntype = \"boolean\"", "[person.fields.email_opt_out]\ntype = \"boolean\"\nclear = \"propagate\"", "clear-of-consent", "\"propagate\""),
    slip("person.toml", "[person.fields.street]\n", "[person.fields.street]\nrule = \"fill\"\n", "rule-in-group", "rule"),
    slip("person.toml", "[person.groups.address]\nfields = [\"street\", \"city\"", "[person.groups.address]\nfields = [\"street\", \"department\", \"city\"", "group-mapped-in-part", "\"department\""),
    slip("person.toml", "[person.groups.address]\nfields = [\"street\", \"city\"", "[person.groups.address]\nfields = [\"first_name\", \"street\", \"city\"", "overlapping-groups", "\"first_name\""),
    slip("person.toml", "[person.groups.address]\nfields = [\"street\", \"city\"", "[person.groups.address]\nfeilds = [\"street\", \"city\"", "unknown-key", "feilds"),
    slip("person.toml", "\"nurturing\"]", "\"nurturing\", \"open\"]", "duplicate-entry", "\"open\""),
    slip("person.toml", "rule = \"longest\"", "rule = longest", "toml-syntax", "longest"),
    slip("person.toml", "rule = \"longest\"", "rule = \"longest", "toml-syntax", "t"),
    slip("person.toml", "rule = \"longest\"", "rule = \"max\"", "strategy-wrong-type", "\"max\""),
    slip("person.toml", "rule = \"longest\"", "rule = \"only\"", "strategy-needs-more", "\"only\""),
    slip("person.toml", "rule = \"longest\"", "rule = { derived = \"upper(titel)\" }", "unknown-field", "titel"),
    slip("person.toml", "rule = \"longest\"", "rule = { derived = \"uper(title)\" }", "expression-function", "uper"),
    slip("person.toml", "rule = \"longest\"", "rule = { derived = \"upper(title\" }", "expression-syntax", "e\""),
    slip("person.toml", "rule = \"longest\"", "rule = { derived = \"upper(description)\" }", "cycle-derived", "description"),
    slip("person.toml", "rule = \"longest\"", "rule = { follow = \"adress\" }", "unknown-group", "\"adress\""),
    slip("person.toml", "rule = \"longest\"", "rule = { trust = { crm = { max = 10, min = 90, period = \"90d\" } } }", "trust-range", "90"),
    slip("person.toml", "rule = \"longest\"", "rule = { trust = { crm = { max = 90, min = 10 } } }", "missing-key", "{ max"),
    slip("person.toml", "rule = \"longest\"", "rule = { only = \"map\" }", "source-does-not-map", "\"map\""),
    slip("person.toml", "type = \"integer\"\nrule = { by_stage = { until = \"mql\", then = { only = \"map\" }, after = { only = \"crm\" } } }", "type = \"integer\"\nrule = \"counter\"", "counter-without-before-image", "\"counter\""),
    slip("person.toml", "until = \"mql\"", "until = \"new\"", "stage-unreachable", "\"new\""),
    slip("person.toml", "[person.fields.fax]\ntype = \"phone\"", "[person.fields.fax]\ntype = \"phone\"\npersonal = \"no\"", "wrong-type", "\"no\""),
    slip("person.toml", "[person.fields.fax]\ntype = \"phone\"", "[person.fields.fax]\ntype = \"phone\"\ntype = \"text\"", "duplicate-key", "type"),
    slip("systems.toml", "format = \"salesforce\"", "format = \"salesfroce\"", "unknown-format", "\"salesfroce\""),
    slip("systems.toml", "format = \"mautic\"\n", "", "missing-key", "[systems.map]"),
    slip("systems.toml", "[systems.crm.objects.deal]", "[systems.crm.objects.deals]", "unknown-object", "deals"),
    slip("systems.toml", "\"List Import\" = \"list_import\"", "\"List Import\" = \"list_imprt\"", "unknown-cause", "\"list_imprt\""),
    slip("systems.toml", "integration_users = [\"Baton Sync\"]", "integration_users = [\"Baton Sync\"]\ntopics = { changes = \"baton.crm.changes\" }", "topic-shared", "\"baton.crm.changes\""),
    slip("systems.toml", "integration_users = [\"Baton Sync\"]", "integration_users = \"Baton Sync\"", "wrong-type", "\"Baton Sync\""),
    slip("systems.toml", "[systems.map.objects.contact]\n", "[systems.map.objects.contact]\nfields = { country = false }\n", "group-mapped-in-part", "\"country\"]"),
    slip("systems.toml", "[systems.map.objects.contact]\n", "[systems.map.objects.contact]\nfields = { given = \"first_name\" }\n", "mapped-twice", "given"),
    slip("systems.toml", "[systems.map.objects.contact]\n", "[systems.map.objects.contact]\nfilter = [{ field = \"email\" }]\n", "filter-test", "\"email\""),
    slip("systems.toml", "[systems.map.objects.contact]\n", "[systems.map.objects.contact]\nfields = { nick = \"shoe_size\" }\n", "unknown-field", "\"shoe_size\""),
    slip("vocabularies/salesforce.toml", "MobilePhone = \"mobile\"\nFax = \"fax\"\nEmail = \"email\"\nWebsite", "MobilePhone = \"mobil\"\nFax = \"fax\"\nEmail = \"email\"\nWebsite", "unknown-field", "\"mobil\""),
    slip("vocabularies/salesforce.toml", "\"Nurturing\" = \"nurturing\"", "\"Nurturing\" = \"nuturing\"", "picklist-unknown-value", "\"nuturing\""),
    slip("vocabularies/salesforce.toml", ", \"Nurturing\" = \"nurturing\"", "", "picklist-unmapped", "values"),
    slip("vocabularies/salesforce.toml", ", \"Nurturing\" = \"nurturing\"", ", \"Nurturing\" = \"nurturing\", \"Cold\" = \"nurturing\"", "picklist-duplicate", "\"Cold\""),
    slip("vocabularies/salesforce.toml", "IsWon = { field = \"outcome\", direction = \"in\" }", "IsWon = { field = \"outcome\", direction = \"into\" }", "unknown-choice", "\"into\""),
    slip("identity.toml", "email = \"email\"", "email = \"e_mail\"", "unknown-field", "\"e_mail\""),
    slip("identity.toml", "email = \"email\"\n", "", "identity-missing", "identity"),
    slip("consent.toml", "address = \"email\"", "address = \"title\"", "consent-address", "\"title\""),
    slip("consent.toml", "address = \"phone\"\n", "", "missing-key", "[consent.phone]"),
    slip("consent.toml", "address = \"phone\"\nstates = { true = \"opted_out\"", "address = \"phone\"\nstates = { true = \"optout\"", "unknown-consent-state", "\"optout\""),
    slip("timing.toml", "\"api\", \"unknown\"]", "\"api\"]", "rank-incomplete", "causes"),
    slip("timing.toml", "give_up = \"15m\"", "give_up = \"-15m\"", "duration-out-of-range", "\"-15m\""),
    slip("timing.toml", "records = 100", "records = \"100\"", "wrong-type", "\"100\""),
    slip("timing.toml", "percent = 10", "percent = 110", "number-out-of-range", "110"),
    slip("baton.toml", "roles = [\"engine\",", "roles = [\"motor\", \"engine\",", "unknown-role", "\"motor\""),
    slip("baton.toml", "bind = \"127.0.0.1:9464\"", "bind = \"127.0.0.1\"", "bad-address", "\"127.0.0.1\""),
    slip("baton.toml", "group = \"baton\"", "group = \"baton\"\nclient = { \"sasl.password\" = \"geheim\" }", "secret-inline", "\"geheim\""),
    slip("baton.toml", "[store]", "[store]\nurl = \"postgres://baton:geheim@db/baton\"", "secret-inline", "\"postgres:"),
    slip("baton.toml", "[store]", "[store]\nurl = { env = \"NO_SUCH_VARIABLE\" }", "environment-missing", "\"NO_SUCH"),
    slip("deal.toml", "[deal.fields.reason]\nrule = { only = \"crm\" }", "[deal.fields.reason]\nrule = { only = \"map\" }", "source-does-not-map", "\"map\""),
    slip("lifecycle.toml", "nurture = \"not email_opt_out\"", "nurture = \"not email_optout\"", "unknown-field", "email_optout"),
    slip("lifecycle.toml", "company is present or", "company is presnt or", "condition-syntax", "presnt"),
    slip("lifecycle.toml", "part = \"accepted\"\n", "", "stage-part-missing", "stages"),
    slip("lifecycle.toml", "rank = 50\n", "rank = 35\n", "stage-rank", "35"),
    slip("lifecycle.toml", "rank = 60\nphase = \"worked\"", "rank = 60", "missing-key", "[lifecycle.stages.sql]"),
    slip("lifecycle.toml", "rank = 60\nphase = \"worked\"", "rank = 60\nphase = \"working\"", "unknown-choice", "\"working\""),
    slip("lifecycle.toml", "back_to = [\"nurture\", \"opportunity\", \"won\"]", "back_to = [\"nurtur\", \"opportunity\", \"won\"]", "unknown-stage", "\"nurtur\""),
    slip("lifecycle.toml", "reengage = { at = 66, action = \"wake_up\" }", "reengage = { at = 660, action = \"wake_up\" }", "number-out-of-range", "660"),
    slip("lifecycle.toml", "reengage = { at = 66, action = \"wake_up\" }", "reengage = { at = 66, action = \"wakeup\" }", "unknown-recipient", "\"wakeup\""),
    slip("lifecycle.toml", "age = { after = \"90d\", reason = \"timing\" }", "age = { after = \"90d\", reason = \"timming\" }", "unknown-reason", "\"timming\""),
    slip("lifecycle.toml", "most = 3\n", "", "loop-without-limit", "recycling"),
    slip("lifecycle.toml", "{ disqualify = \"exhausted\" }\n", "{ disqualify = \"exhausted\", long_nurture = \"timing\" }\n", "exactly-one", "long_nurture"),
    slip("lifecycle.toml", "budget = { track = \"budget\", cool_down = \"180d\" }", "budget = { cool_down = \"180d\" }", "reason-without-track", "budget"),
    slip("lifecycle.toml", "cool_down = \"forever\"", "cool_down = \"never\"", "bad-duration", "\"never\""),
    slip("lifecycle.toml", "competitor = { nurture = \"newsletter\" }", "competitor = { nurture = \"newslettr\" }", "unknown-track", "\"newslettr\""),
    slip("lifecycle.toml", "in_cool_down = [\"demo_request\", ", "in_cool_down = [\"demo_requst\", ", "unknown-activity", "\"demo_requst\""),
    slip("lifecycle.toml", "\"qualified\"]\ntouches = 1", "\"qualifed\"]\ntouches = 1", "unknown-choice", "\"qualifed\""),
    slip("lifecycle.toml", "escalation = [{ after = \"4h\"", "escalation = [{ after = \"40h\"", "steps-not-rising", "\"16h\""),
    slip("lifecycle.toml", "target = \"8h\"\ncalendar = \"office\"", "target = \"8h\"\ncalendar = \"ofice\"", "unknown-calendar", "\"ofice\""),
    slip("lifecycle.toml", "zone = \"America/New_York\"", "zone = \"America/NewYork\"", "unknown-zone", "\"America/NewYork\""),
    slip("lifecycle.toml", "monday = [\"09:00-17:00\"]", "monday = [\"9:00-17:00\"]", "bad-hours", "\"9:00-17:00\""),
    slip("lifecycle.toml", "monday = [\"09:00-17:00\"]", "monday = [\"09:00-09:00\"]", "bad-hours", "\"09:00-09:00\""),
    slip("lifecycle.toml", "[lifecycle.recycling]\n", "[lifecycle.recyling]\n", "unknown-key", "recyling"),
    slip("lifecycle.toml", "holidays = [\"us\"]", "holidays = [\"usa\"]", "unknown-holidays", "\"usa\""),
    slip("lifecycle.toml", "working = \"sdr_review\"", "workin = \"sdr_review\"", "picklist-unknown-value", "workin"),
    slip("lifecycle.toml", "[lifecycle.systems.map]", "[lifecycle.systems.mapp]", "unknown-system", "mapp"),
    slip("lifecycle.toml", "handoff = \"sales_handoff\"", "handoff = \"sales_ready\"", "funnel-field-type", "\"sales_ready\""),
    slip("lifecycle.toml", "handoff = \"sales_handoff\"", "handoff = \"nurture_track\"", "funnel-field-unmapped", "\"nurture_track\""),
    slip("lifecycle.toml", "closing = \"close_date\"", "closing = \"closed\"", "funnel-field-type", "\"closed\""),
    slip("lifecycle.toml", "last_deal_amount = \"last_deal_amount\"", "last_deal_amount = \"last_deal_reason\"", "funnel-field-type", "\"last_deal_reason\""),
    slip("lifecycle.toml", "campaign = \"sales_campaign\"", "content = \"sales_campaign\"", "missing-key", "campaigns"),
    slip("vocabularies/mautic.toml", "kind = \"email_open\"", "kind = \"email_opn\"", "unknown-activity", "\"email_opn\""),
    slip("vocabularies/mautic.toml", "page_on_hit = { kind = \"page_view\", by = \"buyer\"", "page_on_hit = { kind = \"page_view\", by = \"buyers\"", "unknown-choice", "\"buyers\""),
    slip("vocabularies/hubspot.toml", "NOTE = { kind = \"note\", by", "NOTE = { kid = \"note\", by", "unknown-key", "kid"),
    slip("holidays/us.toml", "2026-05-25", "2026-05-32", "bad-holiday", "2026-05-32"),
    slip("account.toml", "clear = \"ignore\"", "clear = \"propagate\"", "clear-of-required", "\"propagate\""),
];

fn make(files: &mut Files, slip: &Slip) {
    let text = files.get_mut(&PathBuf::from(slip.file)).unwrap();
    assert_eq!(
        text.matches(slip.right).count(),
        1,
        "{:?} in {}",
        slip.right,
        slip.file
    );
    *text = text.replace(slip.right, slip.wrong);
}

fn tokens(loaded: &Loaded) -> Vec<(&str, &str)> {
    loaded
        .problems
        .iter()
        .map(|p| (p.code, &loaded.sources[&p.file][p.span.start..]))
        .collect()
}

#[test]
fn one_slip_in_the_shipped_configuration_is_one_problem_at_its_token() {
    let mut failures = Vec::new();
    for slip in SLIPS {
        let mut files = shipped();
        make(&mut files, slip);
        let loaded = load_from(&files, &environment());
        let found = tokens(&loaded);
        let fits =
            found.len() == 1 && found[0].0 == slip.code && found[0].1.starts_with(slip.token);
        if !fits {
            let said: Vec<_> = loaded
                .problems
                .iter()
                .map(|p| {
                    format!(
                        "{}:{}:{} {} {}",
                        p.file, p.line, p.column, p.code, p.message
                    )
                })
                .collect();
            failures.push(format!("{:?} -> {:?}: {said:#?}", slip.right, slip.wrong));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The table that `at` stands in, by the offset of its header.
fn table_of(text: &str, at: usize) -> usize {
    text[..at].rfind("\n[").unwrap_or(0)
}

/// Slips made together, one to a table: as many problems as slips.
#[test]
fn slips_made_together_do_not_hide_each_other() {
    let original = shipped();
    let mut files = original.clone();
    let mut taken = std::collections::BTreeSet::new();
    let mut made = Vec::new();
    for slip in SLIPS {
        let text = &original[&PathBuf::from(slip.file)];
        let at = text.find(slip.right).unwrap() + slip.right.len() - 1;
        // Without identity or format nothing more can be said about what rests on them.
        let lasting =
            !["identity-missing", "identity-wrong-type", "missing-key"].contains(&slip.code);
        if lasting && taken.insert((slip.file, table_of(text, at))) {
            make(&mut files, slip);
            made.push(slip.code);
        }
    }
    assert!(made.len() >= 20, "{}", made.len());
    let loaded = load_from(&files, &environment());
    let mut found: Vec<&str> = loaded.problems.iter().map(|p| p.code).collect();
    made.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, made, "{:#?}", loaded.problems);
}
