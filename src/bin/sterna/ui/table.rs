//! Tables for people: rows of words, columns of equal things.

/// What stands between two columns.
const GAP: usize = 2;

/// Columns under headings, a label before each row. Where a width does not hold all columns, those that are left follow in a
/// block of their own, with the labels again.
#[derive(Debug, Default)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    /// A table without rows.
    pub fn new(headings: impl IntoIterator<Item = String>) -> Self {
        Self { headings: headings.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row; it has a cell for each heading.
    pub fn row(&mut self, label: impl Into<String>, cells: impl IntoIterator<Item = String>) {
        self.rows.push((label.into(), cells.into_iter().collect()));
    }

    /// The table, each line at most `width` characters where its widest column leaves that possible.
    pub fn text(&self, width: usize) -> String {
        let label = self.rows.iter().map(|(label, _)| chars(label)).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.headings.len()).map(|column| self.column(column)).collect();
        let mut text = String::new();
        let mut next = 0;
        while next < widths.len() {
            let first = next;
            let mut line = label;
            while next < widths.len() && (next == first || line + GAP + widths[next] <= width) {
                line += GAP + widths[next];
                next += 1;
            }
            let block = first..next;
            push_line(&mut text, "", label, &self.headings[block.clone()], &widths[block.clone()]);
            for (name, cells) in &self.rows {
                push_line(&mut text, name, label, &cells[block.clone()], &widths[block.clone()]);
            }
        }
        text
    }

    fn column(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|(_, cells)| chars(&cells[at]));
        cells.chain([chars(&self.headings[at])]).max().unwrap_or(0)
    }
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

fn push_line(text: &mut String, label: &str, width: usize, cells: &[String], widths: &[usize]) {
    let mut line = format!("{label:<width$}");
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(&format!("{:GAP$}{cell:>width$}", ""));
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_follow_below() {
        let mut table = Table::new(["A", "B", "C"].map(str::to_owned));
        table.row("objects", ["1", "22", "333"].map(str::to_owned));
        assert_eq!(table.text(80), "         A   B    C\nobjects  1  22  333\n");
        assert_eq!(table.text(14), "         A   B\nobjects  1  22\n           C\nobjects  333\n");
        // A column that is wider than the line stands alone.
        assert_eq!(table.text(1).lines().count(), 6);
    }
}
