"""The generator of the English–French corpus that comes with the course.

A small grammar writes both languages at once. Each rule puts the *same* parts in two orders, one
line for English and one for French, and linked words of a part carry the same mark in both. A gold
link is an English and a French word that share a mark, so links survive every reordering,
contraction and elision without any bookkeeping of positions.

    lexicon       words with their forms, in both languages
    phrases       words and phrases of two languages; French spelling
    clauses       noun phrases and clauses: agreement, tense, negation, questions
    noun_phrases  random noun phrases
    predicates    random predicates
    sentences     random sentences
    corpus        splits, and the files of the corpus

What the sentences contain and how they are aligned is described in the module that reads them,
`course_utils.datasets.generated.english_french`.
"""
