//! Statements as they are written, and read: as much of SQL as Baton's own texts use.

use super::{schema::Table, value::Value};

/// A statement, names resolved to columns.
#[derive(Debug)]
pub(super) enum Statement {
    Select(Select),
    Insert(Insert),
    Update {
        table: usize,
        set: Vec<(usize, Expr)>,
        /// Once per input row.
        per_input: bool,
        filter: Option<Expr>,
    },
    Delete {
        table: usize,
        filter: Option<Expr>,
    },
}

#[derive(Debug)]
pub(super) struct Select {
    /// None: the input alone.
    pub table: Option<usize>,
    /// Once per input row.
    pub per_input: bool,
    pub columns: Vec<Expr>,
    pub filter: Option<Expr>,
    /// Some: rows are counted, or their least value taken, per distinct value of these columns.
    pub group: Option<Vec<Expr>>,
    pub order: Vec<Expr>,
    pub limit: Option<Expr>,
}

#[derive(Debug)]
pub(super) struct Insert {
    pub table: usize,
    pub columns: Vec<usize>,
    pub from: From,
    pub conflict: Conflict,
}

#[derive(Debug)]
pub(super) enum From {
    Input,
    Values(Vec<Expr>),
    Select(Select),
}

/// What becomes of a row whose key is there already.
#[derive(Debug)]
pub(super) enum Conflict {
    Refuse,
    Keep,
    Update {
        set: Vec<(usize, Expr)>,
        filter: Option<Expr>,
    },
}

#[derive(Debug)]
pub(super) enum Expr {
    /// Of the stored row.
    Column(usize),
    /// Of the row that could not be inserted.
    Excluded(usize),
    /// Of the input row.
    Input(usize),
    /// A single value, from 0.
    Bound(usize),
    Constant(Value),
    Binary(Box<Expr>, Op, Box<Expr>),
    IsNull(Box<Expr>, bool),
    Within(Box<Expr>, Box<Select>),
    /// The text or bytes from this place on, counted from 1.
    From(Box<Expr>, usize),
    Count,
    Least(Box<Expr>),
    Greatest(Box<Expr>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    And,
    Or,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
}

#[derive(Clone, PartialEq, Debug)]
enum Token<'t> {
    Word(&'t str),
    Number(i64),
    Text(&'t str),
    Bound(usize),
    /// `{values}` or `{input}`
    Many(&'t str),
    Sign(&'t str),
}

/// Reads a statement.
///
/// # Errors
/// Where it is not understood.
pub(super) fn read(text: &str, tables: &[Table]) -> Result<Statement, String> {
    let mut reader = Reader {
        tokens: tokens(text)?,
        at: 0,
        tables,
        table: None,
        alias: "",
    };
    let statement = reader.statement()?;
    match reader.peek() {
        None => Ok(statement),
        Some(rest) => Err(format!("`{rest:?}` is not expected there")),
    }
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = run(rest, |c| c.is_ascii_alphanumeric() || c == '_');
                (Token::Word(&rest[..length]), length)
            }
            '0'..='9' => {
                let length = run(rest, |c| c.is_ascii_digit());
                let number = rest[..length].parse().map_err(|_| "a long number")?;
                (Token::Number(number), length)
            }
            '$' => {
                let length = 1 + run(&rest[1..], |c| c.is_ascii_digit());
                let number: usize = rest[1..length].parse().map_err(|_| "`$` without number")?;
                (Token::Bound(number.wrapping_sub(1)), length)
            }
            '\'' => {
                let length = rest[1..].find('\'').ok_or("a text without end")?;
                (Token::Text(&rest[1..=length]), length + 2)
            }
            '{' => {
                let length = rest.find('}').ok_or("a brace without end")?;
                (Token::Many(&rest[1..length]), length + 1)
            }
            _ => {
                let two = ["<=", ">="].into_iter().find(|two| rest.starts_with(two));
                let length = two.map_or(first.len_utf8(), str::len);
                (Token::Sign(&rest[..length]), length)
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn run(text: &str, part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !part(c)).unwrap_or(text.len())
}

struct Reader<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
    tables: &'t [Table],
    /// The table whose columns names without a table belong to, and its other name.
    table: Option<usize>,
    alias: &'t str,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token<'t>, String> {
        let token = self.peek().cloned().ok_or("it ends too soon")?;
        self.at += 1;
        Ok(token)
    }

    /// Goes on if these words follow.
    fn take(&mut self, words: &str) -> bool {
        let mut at = self.at;
        for word in words.split(' ') {
            let follows = match self.tokens.get(at) {
                Some(Token::Word(found)) => found.eq_ignore_ascii_case(word),
                Some(Token::Sign(found)) => *found == word,
                Some(Token::Many(found)) => word.strip_prefix('{') == Some(*found),
                _ => false,
            };
            if !follows {
                return false;
            }
            at += 1;
        }
        self.at = at;
        true
    }

    fn expect(&mut self, words: &str) -> Result<(), String> {
        if self.take(words) {
            Ok(())
        } else {
            Err(format!("`{words}` is expected, not {:?}", self.peek()))
        }
    }

    fn word(&mut self) -> Result<&'t str, String> {
        match self.next()? {
            Token::Word(word) => Ok(word),
            other => Err(format!("a name is expected, not {other:?}")),
        }
    }

    fn list<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut all = vec![one(self)?];
        while self.take(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn table(&mut self) -> Result<usize, String> {
        let name = self.word()?;
        let found = self.tables.iter().position(|table| table.name == name);
        let found = found.ok_or_else(|| format!("there is no table `{name}`"))?;
        (self.table, self.alias) = (Some(found), name);
        Ok(found)
    }

    fn column(&mut self) -> Result<usize, String> {
        let name = self.word()?;
        self.column_named(name)
    }

    fn column_named(&self, name: &str) -> Result<usize, String> {
        let table = self.table.and_then(|at| self.tables.get(at));
        let found = table.and_then(|table| table.columns.iter().position(|c| c == name));
        found.ok_or_else(|| format!("there is no column `{name}`"))
    }

    fn statement(&mut self) -> Result<Statement, String> {
        if self.take("SELECT") {
            return Ok(Statement::Select(self.select()?));
        }
        if self.take("INSERT INTO") {
            return Ok(Statement::Insert(self.insert()?));
        }
        if self.take("UPDATE") {
            let table = self.table()?;
            let set = self.assignments()?;
            let per_input = self.take("FROM {input");
            let filter = self.filter()?;
            return Ok(Statement::Update {
                table,
                set,
                per_input,
                filter,
            });
        }
        self.expect("DELETE FROM")?;
        let table = self.table()?;
        let filter = self.filter()?;
        Ok(Statement::Delete { table, filter })
    }

    fn filter(&mut self) -> Result<Option<Expr>, String> {
        self.take("WHERE").then(|| self.any()).transpose()
    }

    fn assignments(&mut self) -> Result<Vec<(usize, Expr)>, String> {
        self.expect("SET")?;
        self.list(|reader| {
            let column = reader.column()?;
            reader.expect("=")?;
            Ok((column, reader.sum()?))
        })
    }

    fn insert(&mut self) -> Result<Insert, String> {
        let table = self.table()?;
        let scope = (self.table, self.alias);
        self.expect("(")?;
        let columns = self.list(Self::column)?;
        self.expect(")")?;
        let from = if self.take("{values") {
            From::Input
        } else if self.take("VALUES (") {
            let values = self.list(Self::sum)?;
            self.expect(")")?;
            From::Values(values)
        } else {
            self.expect("SELECT")?;
            From::Select(self.select()?)
        };
        (self.table, self.alias) = scope;
        let conflict = if !self.take("ON CONFLICT") {
            Conflict::Refuse
        } else {
            if self.take("(") {
                let key = self.list(Self::column)?;
                self.expect(")")?;
                if self.tables.get(table).is_none_or(|table| table.key != key) {
                    return Err("only the primary key can be in conflict".to_owned());
                }
            }
            if self.take("DO NOTHING") {
                Conflict::Keep
            } else {
                self.expect("DO UPDATE")?;
                let set = self.assignments()?;
                let filter = self.filter()?;
                Conflict::Update { set, filter }
            }
        };
        Ok(Insert {
            table,
            columns,
            from,
            conflict,
        })
    }

    fn select(&mut self) -> Result<Select, String> {
        // The columns belong to a table that is named behind them.
        let columns_at = self.at;
        while !self.take("FROM") {
            self.next()?;
        }
        let per_input = self.take("{input");
        let table = if !per_input || self.take("CROSS JOIN") {
            let table = self.table()?;
            if let Some(Token::Word(alias)) = self.peek()
                && !["WHERE", "ORDER", "GROUP", "LIMIT"].contains(alias)
            {
                self.alias = alias;
                self.at += 1;
            }
            Some(table)
        } else {
            None
        };
        let behind = self.at;
        self.at = columns_at;
        let columns = self.list(Self::sum)?;
        self.at = behind;
        let filter = self.filter()?;
        let counts = columns
            .iter()
            .any(|c| matches!(c, Expr::Count | Expr::Least(_) | Expr::Greatest(_)));
        let group = if self.take("GROUP BY") {
            Some(self.list(Self::sum)?)
        } else {
            counts.then(Vec::new)
        };
        let order = if self.take("ORDER BY") {
            self.list(Self::sum)?
        } else {
            Vec::new()
        };
        let limit = self.take("LIMIT").then(|| self.sum()).transpose()?;
        Ok(Select {
            table,
            per_input,
            columns,
            filter,
            group,
            order,
            limit,
        })
    }

    fn any(&mut self) -> Result<Expr, String> {
        let mut left = self.all()?;
        while self.take("OR") {
            left = binary(left, Op::Or, self.all()?);
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Expr, String> {
        let mut left = self.comparison()?;
        while self.take("AND") {
            left = binary(left, Op::And, self.comparison()?);
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expr, String> {
        if self.take("(") {
            let inner = self.any()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let left = self.sum()?;
        if self.take("IS NOT NULL") {
            return Ok(Expr::IsNull(Box::new(left), false));
        }
        if self.take("IS NULL") {
            return Ok(Expr::IsNull(Box::new(left), true));
        }
        if self.take("IN ( SELECT") {
            let scope = (self.table, self.alias);
            let select = self.select()?;
            (self.table, self.alias) = scope;
            self.expect(")")?;
            return Ok(Expr::Within(Box::new(left), Box::new(select)));
        }
        for (sign, op) in [
            ("=", Op::Equal),
            ("<=", Op::LessOrEqual),
            (">=", Op::GreaterOrEqual),
            ("<", Op::Less),
            (">", Op::Greater),
        ] {
            if self.take(sign) {
                return Ok(binary(left, op, self.sum()?));
            }
        }
        Err(format!("a comparison is expected, not {:?}", self.peek()))
    }

    fn sum(&mut self) -> Result<Expr, String> {
        let mut left = self.operand()?;
        loop {
            let op = if self.take("+") {
                Op::Plus
            } else if self.take("-") {
                Op::Minus
            } else {
                return Ok(left);
            };
            left = binary(left, op, self.operand()?);
        }
    }

    fn operand(&mut self) -> Result<Expr, String> {
        if self.take("COUNT ( * )") {
            return Ok(Expr::Count);
        }
        if self.take("MIN (") {
            let of = self.sum()?;
            self.expect(")")?;
            return Ok(Expr::Least(Box::new(of)));
        }
        if self.take("MAX (") {
            let of = self.sum()?;
            self.expect(")")?;
            return Ok(Expr::Greatest(Box::new(of)));
        }
        if self.take("substr (") {
            let of = self.sum()?;
            self.expect(",")?;
            let Token::Number(from) = self.next()? else {
                return Err("a place is expected".to_owned());
            };
            self.expect(")")?;
            let from = usize::try_from(from).map_err(|e| e.to_string())?;
            return Ok(Expr::From(Box::new(of), from));
        }
        if self.take("NULL") {
            return Ok(Expr::Constant(Value::Null));
        }
        match self.next()? {
            Token::Number(number) => Ok(Expr::Constant(Value::Int(number))),
            Token::Text(text) => Ok(Expr::Constant(Value::Text(text.into()))),
            Token::Bound(at) => Ok(Expr::Bound(at)),
            Token::Word(name) if self.take(".") => self.of(name),
            Token::Word(name) => Ok(Expr::Column(self.column_named(name)?)),
            other => Err(format!("a value is expected, not {other:?}")),
        }
    }

    /// A column of what has this name.
    fn of(&mut self, name: &str) -> Result<Expr, String> {
        let column = self.word()?;
        if name == "input" {
            let number = column.strip_prefix("column").and_then(|n| n.parse().ok());
            let number: usize = number.ok_or_else(|| format!("no input `{column}`"))?;
            return Ok(Expr::Input(number.wrapping_sub(1)));
        }
        let at = self.column_named(column)?;
        if name == "excluded" {
            return Ok(Expr::Excluded(at));
        }
        if name == self.alias {
            return Ok(Expr::Column(at));
        }
        Err(format!("there is no table `{name}` in this statement"))
    }
}

fn binary(left: Expr, op: Op, right: Expr) -> Expr {
    Expr::Binary(Box::new(left), op, Box::new(right))
}
