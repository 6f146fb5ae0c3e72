//! A naive, independent reading of the survivorship contract, to judge the engine by.
