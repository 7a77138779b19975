"""One question: may this version go there now? Facts, rules, verdict, tickets."""
