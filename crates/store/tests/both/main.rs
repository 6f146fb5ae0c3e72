//! One body per fact, run against SQLite, PostgreSQL and the store in memory of the simulation.
#![expect(
    clippy::unwrap_used,
    reason = "a fact that cannot be read is a failed test"
)]

macro_rules! on_both {
    ($($name:ident,)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() -> crate::given::Checked {
                let (store, _folder) =
                    baton_store::testing::sqlite_store(&baton_store::Options::default()).await?;
                super::$name(&store).await
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() -> crate::given::Checked {
                let Some(server) = baton_store::testing::postgres() else { return Ok(()) };
                let (store, _database) =
                    baton_store::testing::postgres_store(server, &baton_store::Options::default()).await?;
                super::$name(&store).await
            })*
        }
        mod memory {
            $(#[tokio::test]
            async fn $name() -> crate::given::Checked {
                let store = baton_store::memory::Memory::default().store();
                store.migrate().await?;
                super::$name(&store).await
            })*
        }
    };
}

mod books;
mod conflicts;
mod funnel;
mod given;
mod reading;
mod room;
mod stewards;
