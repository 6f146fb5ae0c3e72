//! A small whole funnel that the tests put their mistakes into, part by part.

/// Each part with its header. Nothing in it is wrong.
const PARTS: [(&str, &str); 25] = [
    ("lifecycle", "protect_deals_closing_within = \"14d\"\n"),
    (
        "lifecycle.stages.new",
        "rank = 0\npart = \"entry\"\nphase = \"nurtured\"\nowner = \"marketing\"\n",
    ),
    (
        "lifecycle.stages.nurture",
        "rank = 10\npart = \"nurture\"\nphase = \"nurtured\"\nowner = \"marketing\"\n",
    ),
    (
        "lifecycle.stages.recycled",
        "rank = 20\npart = \"recycled\"\nphase = \"nurtured\"\nowner = \"marketing\"\nclaimed_by = [\"crm\"]\n",
    ),
    (
        "lifecycle.stages.mql",
        "rank = 30\npart = \"ready\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\"]\n",
    ),
    (
        "lifecycle.stages.review",
        "rank = 40\npart = \"review\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\"]\n",
    ),
    (
        "lifecycle.stages.sal",
        "rank = 50\npart = \"accepted\"\nphase = \"worked\"\nowner = \"sales\"\n",
    ),
    (
        "lifecycle.stages.opportunity",
        "rank = 70\npart = \"opportunity\"\nphase = \"worked\"\nowner = \"sales\"\n",
    ),
    (
        "lifecycle.stages.won",
        "rank = 80\npart = \"won\"\nphase = \"ended\"\nowner = \"sales\"\nback_to = [\"opportunity\"]\n",
    ),
    (
        "lifecycle.stages.lost",
        "rank = 80\npart = \"lost\"\nphase = \"ended\"\nowner = \"sales\"\n",
    ),
    (
        "lifecycle.stages.customer",
        "rank = 90\npart = \"customer\"\nphase = \"ended\"\nowner = \"sales\"\n",
    ),
    (
        "lifecycle.stages.disqualified",
        "rank = 100\npart = \"disqualified\"\nphase = \"ended\"\nowner = \"marketing\"\n",
    ),
    (
        "lifecycle.activities",
        "page_view = \"website\"\ndemo_request = \"requests\"\ncall = \"conversations\"\n",
    ),
    (
        "lifecycle.ready",
        "definition = \"1\"\nthreshold = 50\nfit = \"country is present\"\nacceleration = [\"demo_request\"]\n\
         engagement = { acts = [\"page_view\", \"demo_request\"], by = [\"buyer\"] }\ntold = 3\n",
    ),
    (
        "lifecycle.recycling",
        "most = 3\nwindow = \"365d\"\nbeyond = { disqualify = \"exhausted\" }\nbaseline = \"reset\"\ngrace = \"48h\"\n\
         not_ready = \"timing\"\nnot_willing = \"timing\"\nreturned = \"timing\"\n",
    ),
    (
        "lifecycle.recycling.reasons.timing",
        "track = \"later\"\ncool_down = \"90d\"\n",
    ),
    ("lifecycle.disqualification", "reasons = [\"exhausted\"]\n"),
    ("lifecycle.tracks", "later = \"Not yet\"\n"),
    (
        "lifecycle.recipients",
        "sdr_lead = \"the lead of sales development\"\n",
    ),
    (
        "lifecycle.calendars.office",
        "zone = \"Europe/Berlin\"\nhours = { monday = [\"09:00-17:00\"] }\nholidays = [\"germany\"]\n",
    ),
    (
        "lifecycle.clocks.follow_up",
        "start = [{ enters = \"mql\" }]\nstop = [{ acts = [\"call\"], by = [\"sales\"] }, \"qualified\"]\n\
         target = \"8h\"\ncalendar = \"office\"\nbreach = \"alert\"\n",
    ),
    (
        "lifecycle.fields",
        "score = \"score\"\nready = \"timely\"\nwilling = \"eager\"\n",
    ),
    (
        "lifecycle.systems.crm",
        "stage = \"status\"\nstages = { working = \"review\", done = \"recycled\" }\n",
    ),
    (
        "lifecycle.deals",
        "stage = \"stage\"\nclosing = \"close_date\"\nclosed = \"closed\"\nwon = \"won\"\n",
    ),
    (
        "systems.crm.objects.deal",
        "vendor = \"Opportunity\"\nfields = { StageName = \"stage\", CloseDate = \"close_date\", IsClosed = \"closed\", IsWon = \"won\" }\n",
    ),
];

/// Fields of the funnel that the base does not have.
const MORE: &str = "\n[person.fields.timely]\ntype = \"boolean\"\n\n[person.fields.eager]\ntype = \"boolean\"\n\n\
    [systems.crm.objects.contact.fields]\nTimely = \"timely\"\nEager = \"eager\"\n\n[deal.fields]\nstage = {}\nclose_date = { type = \"date\" }\nclosed = { type = \"boolean\" }\nwon = { type = \"boolean\" }\n";

pub const HOLIDAYS: &str =
    "2026-12-25 = \"Christmas Day\"\n2026-12-26 = \"Second Christmas Day\"\n";

/// The funnel without the parts that `example` says itself.
pub fn funnel_for(example: &str) -> String {
    let mut text = String::new();
    for (header, body) in PARTS {
        if !example.contains(&format!("[{header}]\n")) {
            text.push_str(&format!("\n[{header}]\n{body}"));
        }
    }
    text.push_str(MORE);
    text
}
