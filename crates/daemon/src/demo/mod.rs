//! The first command: a day in the life of a thousand people, against sandboxes, judged by the reference.

mod account;
mod compare;
mod summary;
mod truth;
mod weeks;
mod world;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use baton_core::{
    book::{Parked, ParkedCode},
    change::Outcome,
    explain::explain,
    id::{Kind, Object, RecordKey},
    name::Name,
    state::State,
    time::Millis,
};
use baton_sandbox::{
    Record, System,
    day::{self, Address, Day, Property, Side},
};
use baton_store::{StewardState, Store};

use crate::{
    cli::{Place, Workspace, status},
    clock::Clock,
    daemon::{self, Stop},
    engine::Engine,
    telemetry::Metrics,
};
use account::Account;
use compare::{Comparison, Court};
use summary::{Compared, Example, Funnel, Messages, Summary};
use truth::Truth;
use weeks::Weeks;
use world::World;

/// How `baton demo` is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Stop when the day is over: status 0 only if everything converged and no law was broken
    #[arg(long)]
    pub exit: bool,
    /// Repeat a run exactly
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Use this folder's configuration instead of the one in the binary
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
    /// Keep the data here instead of in a temporary folder
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Play on the configured log and store, which must be new, instead of on ones of its own
    #[arg(long, hide = true)]
    pub configured: bool,
    /// People in the cast when the day begins
    #[arg(long, value_name = "N", hide = true, default_value_t = day::PEOPLE)]
    pub people: usize,
}

/// The simulated day ends at 2026-03-17T00:00:00Z: always the same one, so that a seed repeats a run.
const END: Millis = Millis(1_773_705_600_000);

/// Topics keep everything: the day lies in the past.
const FOR_EVER: i64 = -1;

/// Runs the demo.
///
/// # Errors
/// When the log, the store or a sandbox cannot be started.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let seed = args
        .seed
        .unwrap_or_else(|| u64::from(rand::random::<u16>()));
    let data = folder(args.data.as_deref())?;
    let workspace = Workspace::open(&Place {
        config: args.config.clone(),
        data: Some(data.clone()),
        json: args.json,
    })?;
    let is_own = workspace.active.settings.kafka.bootstrap.is_none()
        && workspace.active.settings.store.url.is_none();
    anyhow::ensure!(
        is_own || args.configured,
        "the demo plays on its own log and store; take `kafka.bootstrap` and `store.url` out of the configuration, \
         or name another with --config"
    );
    let held = workspace.hold()?;
    let log = if workspace.active.settings.kafka.bootstrap.is_some() {
        workspace.external_log_with(Some(FOR_EVER)).await?
    } else {
        workspace.start_log_with(held, Some(FOR_EVER)).await?
    };
    let day = Day::with_people(seed, END, args.people);
    let clock = Clock::simulated(day.steps().first().map_or(END, |step| step.at));
    let metrics = Arc::new(Metrics::default());
    let engine = Engine::new(
        workspace.store().await?,
        workspace.active.clone(),
        clock,
        metrics,
    )
    .await?;
    engine.note_start().await?;
    let mut account = Account::new(args.json, seed, &data);
    account.begin()?;
    let mut world = World::new(Arc::new(engine), &log.connection, day.systems()).await?;
    world.play(&day, &mut |news| account.hear(&news)).await?;
    account.judging();
    let mut summary = sum_up(&world, &day, seed, &data).await?;
    let weeks = Weeks::new(seed);
    account.weeks()?;
    world.play_weeks(&weeks).await?;
    summary.funnel = weeks::judge(&weeks, &world.engine, &world.map).await?;
    summary.laws = laws(&world);
    account.end(&summary)?;
    world.engine.store.close().await;
    log.close().await?;
    if !args.exit {
        let admin = workspace.active.settings.admin.bind;
        account.stays(admin)?;
        let place = Place {
            config: args.config,
            data: Some(data),
            json: args.json,
        };
        return daemon::run(&place, None, Stop::on_signals()?).await;
    }
    let good = if summary.is_good() {
        status::DONE
    } else {
        status::NO
    };
    Ok(ExitCode::from(good))
}

/// The data folder: the one that is named, if it holds nothing yet, else a temporary one that stays.
fn folder(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let Some(named) = named else {
        let folder = tempfile::Builder::new()
            .prefix("baton-demo-")
            .tempdir()
            .context("cannot create a temporary folder; name one with --data")?;
        return Ok(folder.keep());
    };
    let used = named
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some());
    anyhow::ensure!(
        !used,
        "the data folder {} is not empty; the demo begins with an empty one",
        named.display()
    );
    Ok(named.to_owned())
}

async fn sum_up(world: &World, day: &Day, seed: u64, data: &Path) -> anyhow::Result<Summary> {
    let active = world.engine.active();
    let states = states(&world.engine.store).await?;
    let by_record = by_record(&states);
    let as_of = world.engine.clock.now();
    let truth = Truth {
        rules: &active.rules,
        systems: [&world.crm, &world.map],
        sent: &world.sent,
    };
    let tasks = open_tasks(&world.engine.store).await?;
    let told_doubled = tasks
        .iter()
        .filter(|parked| parked.code == ParkedCode::DoubledRecord)
        .filter_map(|parked| parked.entity)
        .collect();
    let told_contested = tasks
        .iter()
        .filter(|parked| parked.code == ParkedCode::Contested)
        .filter_map(|parked| Some((parked.record.clone()?, parked.field?)))
        .collect();
    let court = Court {
        truth: &truth,
        states: &by_record,
        as_of,
        told_doubled: &told_doubled,
        told_contested: &told_contested,
    };
    let found = tokio::task::block_in_place(|| court.compare());
    let exposed = data.join("metrics.txt");
    std::fs::write(&exposed, world.engine.metrics.expose())
        .with_context(|| format!("cannot write {}", exposed.display()))?;
    let worked_example = example(world, day, &by_record, as_of);
    let counts = &world.counts;
    let mut commands: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for ((system, kind), count) in &counts.commands {
        let kinds = commands.entry(system.clone()).or_default();
        kinds.insert((*kind).to_owned(), *count);
    }
    let Comparison {
        people,
        accounts,
        deals,
        records,
        fields,
        rendered,
        left_alone,
        doubled,
        doubled_tasks,
        differences,
    } = found;
    let mut parked: BTreeMap<String, u64> = BTreeMap::new();
    for task in &tasks {
        *parked.entry(task.code.as_str().to_owned()).or_default() += 1;
    }
    Ok(Summary {
        seed,
        people,
        accounts,
        deals,
        scenes: counts
            .scenes
            .iter()
            .map(|(scene, count)| (account::scene_key(*scene), *count))
            .collect(),
        messages: Messages {
            changes: counts.changes,
            results: counts.results,
            late: counts.late,
            twice: counts.again,
        },
        commands,
        outcomes: counts
            .outcomes
            .iter()
            .map(|(outcome, count)| (outcome_key(*outcome).to_owned(), *count))
            .collect(),
        parked,
        compared: Compared {
            records,
            fields,
            rendered,
            left_alone: left_alone
                .into_iter()
                .map(|(why, count)| (why.to_owned(), count))
                .collect(),
        },
        doubled,
        doubled_tasks,
        converged: differences.is_empty() && worked_example.survived,
        differences,
        laws: BTreeMap::new(),
        worked_example,
        funnel: Funnel::default(),
        fingerprint: world::fingerprint(world),
        data: data.display().to_string(),
        metrics: exposed.display().to_string(),
    })
}

/// How often each law was broken, in all that was played.
fn laws(world: &World) -> BTreeMap<String, u64> {
    let mut laws = world.engine.metrics.violations();
    *laws.entry("L15".to_owned()).or_default() += unaccounted(world);
    laws
}

/// Answers that the targets gave and the engine did not take in: every answer is one, or a dead letter (L15).
fn unaccounted(world: &World) -> u64 {
    let dead = world
        .counts
        .outcomes
        .get(&Outcome::DeadLettered)
        .copied()
        .unwrap_or_default();
    // The sandboxes send nothing that cannot be understood.
    world.counts.results.abs_diff(world.counts.answers) + dead
}

/// The states of all entities that are still their own.
async fn states(store: &Store) -> anyhow::Result<Vec<State>> {
    let mut all = Vec::new();
    for kind in [Kind::Person, Kind::Account, Kind::Deal] {
        let mut after = None;
        loop {
            let page = store.entities_page(kind, after, 500).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id);
            all.extend(page);
        }
    }
    Ok(all)
}

fn by_record(states: &[State]) -> BTreeMap<RecordKey, &State> {
    states
        .iter()
        .filter(|state| state.merged_into.is_none())
        .flat_map(|state| state.links.keys().map(move |key| (key.clone(), state)))
        .collect()
}

/// Everything that waits for a steward.
async fn open_tasks(store: &Store) -> anyhow::Result<Vec<Parked>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.parked(StewardState::Open, after, 500).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = Some((last.at, last.id));
        found.extend(page);
    }
}

fn example(
    world: &World,
    day: &Day,
    states: &BTreeMap<RecordKey, &State>,
    as_of: Millis,
) -> Example {
    let told = day.worked_example();
    let emails = [told.email.clone()];
    let mut stands = BTreeMap::new();
    let mut survived = true;
    let mut explanation = None;
    for side in [Side::Crm, Side::Map] {
        let system = world.side(side);
        let Some((object, id)) = day::person(system, side, &emails) else {
            survived = false;
            continue;
        };
        let key = RecordKey::new(system.name(), object, id.as_str());
        if let Some(record) = system.record(object, &id) {
            let address = address_of(system, side, object, record);
            survived &= address == wanted(&told.address);
            stands.insert(key.to_string(), address.join(", "));
        }
        if explanation.is_none()
            && let Some(state) = states.get(&key)
        {
            let rules = &world.engine.active().rules;
            explanation = explain(state, rules, Name::new("street"), as_of);
        }
    }
    Example {
        person: told.person.clone(),
        email: told.email.clone(),
        salesperson: told.salesperson.to_owned(),
        edited: told.edited.to_string(),
        address: wanted(&told.address).join(", "),
        list: told.list.to_owned(),
        imported: told.imported.to_string(),
        list_address: wanted(&told.list_address).join(", "),
        stands,
        survived,
        explanation,
    }
}

/// The address as a record holds it; blank members left out.
fn address_of(system: &System, side: Side, object: Object, record: &Record) -> Vec<String> {
    let members = [
        Property::Street,
        Property::City,
        Property::State,
        Property::PostalCode,
        Property::Country,
    ];
    members
        .into_iter()
        .filter_map(|property| day::vendor_field(side, object, property))
        .filter_map(|field| record.value(field).as_str().map(str::to_owned))
        .filter(|_| !system.name().is_empty())
        .collect()
}

fn wanted(address: &Address) -> Vec<String> {
    [
        Some(address.street.as_str()),
        Some(address.city),
        address.state,
        Some(address.postal_code.as_str()),
        Some(address.country),
    ]
    .into_iter()
    .flatten()
    .map(str::to_owned)
    .collect()
}

const fn outcome_key(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Parked => "parked",
        Outcome::Late => "late",
        Outcome::Duplicate => "duplicate",
        Outcome::Noop => "noop",
        Outcome::DeadLettered => "dead_lettered",
    }
}
