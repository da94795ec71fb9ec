package directives

// suggestion returns "; did you mean 'x'?" for the candidate that a mistyped word most likely stands for, or "".
func suggestion(word string, candidates []string) string {
	const longest = 40 // nobody mistypes that; and the distance costs time in proportion to both lengths
	if len(word) > longest {
		return ""
	}
	best, bestDistance := "", len(word)/3+1
	for _, c := range candidates {
		if d := editDistance(lower(word), lower(c)); d < bestDistance || d == bestDistance && best == "" && d <= 2 {
			best, bestDistance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean '" + best + "'?"
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours between a and b (optimal string
// alignment). The words are short, so the whole matrix is kept.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
