//! What is aimed at, and whether it was met. Nothing fails because an aim is not.

use serde::Serialize;

/// A figure beside its aim.
#[derive(Clone, Debug, Serialize)]
pub struct Aim {
    /// Log and store that the figure is of, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<String>,
    pub what: String,
    pub unit: &'static str,
    pub figure: f64,
    pub aim: f64,
    /// The least that is wanted; else the most.
    pub at_least: bool,
    pub met: bool,
}

/// What is wanted of a figure.
#[derive(Clone, Copy)]
pub enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

/// A figure beside its aim, if there is one.
pub fn judged(
    ground: Option<&str>,
    what: impl Into<String>,
    unit: &'static str,
    figure: Option<f64>,
    wanted: Wanted,
) -> Option<Aim> {
    let figure = figure?;
    let (aim, at_least) = match wanted {
        Wanted::AtLeast(aim) => (aim, true),
        Wanted::AtMost(aim) => (aim, false),
    };
    Some(Aim {
        ground: ground.map(str::to_owned),
        what: what.into(),
        unit,
        figure,
        aim,
        at_least,
        met: if at_least {
            figure >= aim
        } else {
            figure <= aim
        },
    })
}

/// The aims as people read them.
pub fn table(aims: &[Aim]) -> String {
    let lines = aims.iter().map(|aim| {
        let ground = aim.ground.as_ref();
        let ground = ground.map_or_else(String::new, |ground| format!("{ground:<20} "));
        format!(
            "  {ground}{:<52} {:>10.2} {:<10} {} {:>8} {}\n",
            aim.what,
            aim.figure,
            aim.unit,
            if aim.at_least { "at least" } else { "at most " },
            aim.aim,
            if aim.met { "met" } else { "NOT MET" }
        )
    });
    format!("\naims\n{}", lines.collect::<String>())
}

/// A figure, or that there is none.
pub fn maybe(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.digits$}"))
}
