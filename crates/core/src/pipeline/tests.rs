mod detect;
mod outcome;
mod small;
