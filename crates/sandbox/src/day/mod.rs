//! A day in the life of about a thousand people, in a CRM and a MAP.
