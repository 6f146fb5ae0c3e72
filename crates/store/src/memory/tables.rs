//! The rows, and what statements do to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use super::{
    schema::TABLES,
    syntax::{Conflict, Expr, From, Insert, Op, Select, Statement},
    value::Value,
};

type Key = Vec<Value>;
type Stored = Arc<[Value]>;

/// All tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    tables: Vec<Rows>,
}

#[derive(Clone, Debug, Default)]
struct Rows {
    rows: BTreeMap<Key, Stored>,
    /// The last number that was given out; none comes twice.
    last: i64,
}

/// What a transaction has changed: the row as it was before.
pub(super) type Undo = Vec<(usize, Key, Option<Stored>)>;

/// The values that a statement is run with.
pub(super) struct With<'w> {
    pub bound: &'w [Value],
    /// Rows of the input, one after the other.
    pub input: &'w [Value],
    /// Columns of the input.
    pub width: usize,
}

/// The rows that a place in an expression can mean.
#[derive(Clone, Copy, Default)]
struct Here<'h> {
    row: &'h [Value],
    excluded: &'h [Value],
    input: &'h [Value],
}

/// A key that is there already, and nothing was said for that case.
#[derive(Debug)]
pub(super) struct Taken;

impl Tables {
    /// Whether the tables were made.
    pub const fn is_made(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Makes the tables, if they are not there.
    pub fn make(&mut self) {
        self.tables.resize_with(TABLES.len(), Rows::default);
    }

    pub fn take_back(&mut self, undo: Undo) {
        for (table, key, before) in undo.into_iter().rev() {
            let rows = &mut self.tables[table].rows;
            match before {
                Some(row) => drop(rows.insert(key, row)),
                None => drop(rows.remove(&key)),
            }
        }
    }

    /// How many rows the statement touched.
    pub fn execute(
        &mut self,
        statement: &Statement,
        with: &With<'_>,
        undo: &mut Undo,
    ) -> Result<u64, Taken> {
        match statement {
            Statement::Select(_) => Ok(0),
            Statement::Insert(insert) => self.insert(insert, with, undo),
            Statement::Update {
                table,
                set,
                per_input,
                filter,
            } => {
                let found = self.matching(*table, *per_input, filter.as_ref(), with);
                let touched = found.len() as u64;
                for (key, row, input) in found {
                    let here = Here {
                        row: &row,
                        input,
                        ..Here::default()
                    };
                    let after = self.assigned(&row, set, here, with);
                    self.put(*table, key, after, undo);
                }
                Ok(touched)
            }
            Statement::Delete { table, filter } => {
                let found = self.matching(*table, false, filter.as_ref(), with);
                for (key, ..) in &found {
                    let before = self.tables[*table].rows.remove(key);
                    undo.push((*table, key.clone(), before));
                }
                Ok(found.len() as u64)
            }
        }
    }

    fn put(&mut self, table: usize, key: Key, row: Stored, undo: &mut Undo) {
        let before = self.tables[table].rows.insert(key.clone(), row);
        undo.push((table, key, before));
    }

    fn assigned(
        &self,
        row: &[Value],
        set: &[(usize, Expr)],
        here: Here<'_>,
        with: &With<'_>,
    ) -> Stored {
        let mut after = row.to_vec();
        for (column, value) in set {
            after[*column] = self.value(value, here, with);
        }
        after.into()
    }

    fn insert(&mut self, insert: &Insert, with: &With<'_>, undo: &mut Undo) -> Result<u64, Taken> {
        let given: Vec<Vec<Value>> = match &insert.from {
            From::Input => with
                .input
                .chunks(with.width.max(1))
                .map(<[_]>::to_vec)
                .collect(),
            From::Values(values) => {
                let row = values.iter().map(|v| self.value(v, Here::default(), with));
                vec![row.collect()]
            }
            From::Select(select) => self.select(select, with),
        };
        let schema = &TABLES[insert.table];
        let mut touched = 0;
        for values in given {
            let mut row = vec![Value::Null; schema.columns.len()];
            for (column, value) in insert.columns.iter().zip(values) {
                row[*column] = value;
            }
            let rows = &mut self.tables[insert.table];
            if schema.numbered && row[schema.key[0]] == Value::Null {
                rows.last += 1;
                row[schema.key[0]] = Value::Int(rows.last);
            }
            let key: Key = schema.key.iter().map(|at| row[*at].clone()).collect();
            let Some(there) = rows.rows.get(&key).cloned() else {
                self.put(insert.table, key, row.into(), undo);
                touched += 1;
                continue;
            };
            match &insert.conflict {
                Conflict::Refuse => return Err(Taken),
                Conflict::Keep => {}
                Conflict::Update { set, filter } => {
                    let here = Here {
                        row: &there,
                        excluded: &row,
                        ..Here::default()
                    };
                    if filter.as_ref().is_none_or(|f| self.is_true(f, here, with)) {
                        let after = self.assigned(&there, set, here, with);
                        self.put(insert.table, key, after, undo);
                        touched += 1;
                    }
                }
            }
        }
        Ok(touched)
    }

    /// The rows of a table that fit, each with the input row that it fits.
    fn matching<'w>(
        &self,
        table: usize,
        per_input: bool,
        filter: Option<&Expr>,
        with: &With<'w>,
    ) -> Vec<(Key, Stored, &'w [Value])> {
        let mut found = Vec::new();
        let inputs: Vec<&[Value]> = if per_input {
            with.input.chunks(with.width.max(1)).collect()
        } else {
            vec![&[]]
        };
        let sets = filter.map(|f| self.sets(f, with)).unwrap_or_default();
        for input in inputs {
            let here = Here {
                input,
                ..Here::default()
            };
            let prefix = filter.map_or_else(Vec::new, |f| self.prefix(table, f, here, with));
            let from = (Bound::Included(&*prefix), Bound::Unbounded);
            let rows = self.tables[table].rows.range::<[Value], _>(from);
            for (key, row) in rows.take_while(|(key, _)| key.starts_with(&prefix)) {
                let here = Here { row, ..here };
                let fits = filter.is_none_or(|f| self.fits(f, here, with, &sets));
                if fits {
                    found.push((key.clone(), row.clone(), input));
                }
            }
        }
        found
    }

    /// What the filter says of the first columns of the key, so that not every row has to be looked at.
    fn prefix(&self, table: usize, filter: &Expr, here: Here<'_>, with: &With<'_>) -> Key {
        let mut parts = Vec::new();
        conjuncts(filter, &mut parts);
        let said = |column: usize| {
            parts.iter().find_map(|part| match part {
                Expr::Binary(left, Op::Equal, right) => match (&**left, &**right) {
                    (Expr::Column(at), other) | (other, Expr::Column(at))
                        if *at == column
                            && matches!(
                                other,
                                Expr::Bound(_) | Expr::Input(_) | Expr::Constant(_)
                            ) =>
                    {
                        Some(self.value(other, here, with))
                    }
                    _ => None,
                },
                _ => None,
            })
        };
        TABLES[table].key.iter().map_while(|at| said(*at)).collect()
    }

    /// What each `IN (SELECT …)` of a filter comes to, in the order in which they stand there.
    fn sets(&self, filter: &Expr, with: &With<'_>) -> Vec<BTreeSet<Value>> {
        let mut parts = Vec::new();
        conjuncts(filter, &mut parts);
        let of = |part: &&Expr| match part {
            Expr::Within(_, select) => {
                Some(self.select(select, with).into_iter().flatten().collect())
            }
            _ => None,
        };
        parts.iter().filter_map(of).collect()
    }

    fn fits(
        &self,
        filter: &Expr,
        here: Here<'_>,
        with: &With<'_>,
        sets: &[BTreeSet<Value>],
    ) -> bool {
        let mut parts = Vec::new();
        conjuncts(filter, &mut parts);
        let mut sets = sets.iter();
        parts.into_iter().all(|part| match part {
            Expr::Within(value, _) => {
                let value = self.value(value, here, with);
                sets.next().is_some_and(|set| set.contains(&value))
            }
            other => self.is_true(other, here, with),
        })
    }

    /// The rows that a question finds.
    pub fn select(&self, select: &Select, with: &With<'_>) -> Vec<Vec<Value>> {
        let Some(table) = select.table else {
            let rows = with.input.chunks(with.width.max(1));
            let here = |input| Here {
                input,
                ..Here::default()
            };
            return rows
                .map(|input| self.values(&select.columns, here(input), with))
                .collect();
        };
        let found = self.matching(table, select.per_input, select.filter.as_ref(), with);
        let here = |(_, row, input): &(Key, Stored, &[Value])| -> (Key, Vec<Value>) {
            let here = Here {
                row,
                input,
                ..Here::default()
            };
            let order = self.values(&select.order, here, with);
            (order, self.values(&select.columns, here, with))
        };
        if let Some(group) = &select.group {
            return self.grouped(select, group, &found, with);
        }
        let mut rows: Vec<(Key, Vec<Value>)> = found.iter().map(here).collect();
        if !select.order.is_empty() {
            rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        let limit = select
            .limit
            .as_ref()
            .map(|limit| self.value(limit, Here::default(), with));
        if let Some(Value::Int(limit)) = limit {
            rows.truncate(usize::try_from(limit).unwrap_or_default());
        }
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn grouped(
        &self,
        select: &Select,
        group: &[Expr],
        found: &[(Key, Stored, &[Value])],
        with: &With<'_>,
    ) -> Vec<Vec<Value>> {
        let mut groups: BTreeMap<Key, Vec<&Stored>> = BTreeMap::new();
        if group.is_empty() {
            groups.insert(Key::new(), Vec::new());
        }
        for (_, row, input) in found {
            let here = Here {
                row,
                input,
                ..Here::default()
            };
            let key = self.values(group, here, with);
            groups.entry(key).or_default().push(row);
        }
        let of = |rows: &[&Stored], column: &Expr| match column {
            Expr::Count => Value::Int(i64::try_from(rows.len()).unwrap_or(i64::MAX)),
            Expr::Least(of) | Expr::Greatest(of) => {
                let values = rows.iter().map(|row| self.row_value(of, row, with));
                let values = values.filter(|value| *value != Value::Null);
                let found = match column {
                    Expr::Least(_) => values.min(),
                    _ => values.max(),
                };
                found.unwrap_or(Value::Null)
            }
            other => rows
                .first()
                .map_or(Value::Null, |row| self.row_value(other, row, with)),
        };
        groups
            .values()
            .map(|rows| select.columns.iter().map(|c| of(rows, c)).collect())
            .collect()
    }

    fn row_value(&self, expr: &Expr, row: &[Value], with: &With<'_>) -> Value {
        let here = Here {
            row,
            ..Here::default()
        };
        self.value(expr, here, with)
    }

    fn values(&self, of: &[Expr], here: Here<'_>, with: &With<'_>) -> Vec<Value> {
        of.iter().map(|expr| self.value(expr, here, with)).collect()
    }

    fn is_true(&self, expr: &Expr, here: Here<'_>, with: &With<'_>) -> bool {
        self.value(expr, here, with) == Value::Int(1)
    }

    fn value(&self, expr: &Expr, here: Here<'_>, with: &With<'_>) -> Value {
        let at = |row: &[Value], at: usize| row.get(at).cloned().unwrap_or(Value::Null);
        match expr {
            Expr::Column(column) => at(here.row, *column),
            Expr::Excluded(column) => at(here.excluded, *column),
            Expr::Input(column) => at(here.input, *column),
            Expr::Bound(number) => at(with.bound, *number),
            Expr::Constant(value) => value.clone(),
            Expr::IsNull(of, null) => truth((self.value(of, here, with) == Value::Null) == *null),
            Expr::Within(value, select) => {
                let value = self.value(value, here, with);
                let found = self.select(select, with).into_iter().flatten();
                truth(found.into_iter().any(|one| one == value))
            }
            Expr::From(of, from) => match self.value(of, here, with) {
                Value::Bytes(bytes) => {
                    let rest = bytes.get(from.saturating_sub(1)..);
                    Value::Bytes(rest.unwrap_or_default().into())
                }
                other => other,
            },
            Expr::Count | Expr::Least(_) | Expr::Greatest(_) => Value::Null,
            Expr::Binary(left, op, right) => {
                let (left, right) = (self.value(left, here, with), self.value(right, here, with));
                combined(&left, *op, &right)
            }
        }
    }
}

fn conjuncts<'e>(filter: &'e Expr, parts: &mut Vec<&'e Expr>) {
    match filter {
        Expr::Binary(left, Op::And, right) => {
            conjuncts(left, parts);
            conjuncts(right, parts);
        }
        other => parts.push(other),
    }
}

fn truth(is: bool) -> Value {
    Value::Int(is.into())
}

/// Nothing is neither equal to nor less than anything.
fn combined(left: &Value, op: Op, right: &Value) -> Value {
    match op {
        Op::And => return truth(*left == truth(true) && *right == truth(true)),
        Op::Or => return truth(*left == truth(true) || *right == truth(true)),
        _ => {}
    }
    if *left == Value::Null || *right == Value::Null {
        return Value::Null;
    }
    match (op, left, right) {
        (Op::Plus, Value::Int(a), Value::Int(b)) => Value::Int(a.saturating_add(*b)),
        (Op::Minus, Value::Int(a), Value::Int(b)) => Value::Int(a.saturating_sub(*b)),
        (Op::Equal, ..) => truth(left == right),
        (Op::Less, ..) => truth(left < right),
        (Op::LessOrEqual, ..) => truth(left <= right),
        (Op::Greater, ..) => truth(left > right),
        (Op::GreaterOrEqual, ..) => truth(left >= right),
        _ => Value::Null,
    }
}
