//! Who decides, and what becomes of a denial.
