# How do I release a model with make?
#
#     make -f release.mk release VERSION=1.0 CUSTOMERS=customers.parquet OUTCOMES=outcomes.csv
#     make -f release.mk night
#
# `release` trains, packs, evaluates, compares with the champion, and promotes. A gate that trips
# ends with exit code 5, and the champion stays. `night` scores with the champion and compares the
# scores with those of the night before. If too many decisions flip and another model made them, the
# champion is rolled back; if the model is the same, the data is to blame.

VERSION ?= 1.0
TREES ?= 60
CUSTOMERS ?= customers.parquet
OUTCOMES ?= outcomes.csv
NIGHT ?= scores/tonight
LAST_NIGHT ?= scores/last-night
MAX_FLIP_RATE ?= 0.2
PYTHON ?= python3
BUILD := build/$(VERSION)
TRAIN := $(dir $(lastword $(MAKEFILE_LIST)))train_churn.py
LABELS := --labels $(OUTCOMES) --key customer_id --label churned

export TALLOW_REGISTRY ?= registry

.PHONY: release train package push evaluate compare promote night
release: promote

train:
	$(PYTHON) $(TRAIN) $(CUSTOMERS) $(OUTCOMES) $(BUILD) --trees $(TREES)

package: train
	rm -rf $(BUILD)/package
	tallow pack $(BUILD)/model.ubj --output $(BUILD)/package --name churn \
	    --model-version $(VERSION) --data $(BUILD)/train.parquet --golden $(BUILD)/holdout.parquet \
	    --gate 'roc_auc >= 0.7'

push: package
	tallow registry push $(BUILD)/package --format json > $(BUILD)/pushed.json

evaluate: push
	tallow score -q --model $(BUILD)/package $(BUILD)/holdout.parquet --overwrite \
	    --output $(BUILD)/candidate.parquet
	tallow evaluate $(BUILD)/candidate.parquet $(LABELS) --overwrite \
	    --output $(BUILD)/evaluation.pq

# The first version has no champion to be compared with.
compare: evaluate
	if tallow registry list | grep -q @champion; then \
	    tallow score -q --model churn@champion $(BUILD)/holdout.parquet --overwrite \
	        --output $(BUILD)/champion.parquet && \
	    tallow compare $(BUILD)/champion.parquet $(BUILD)/candidate.parquet $(LABELS) --overwrite \
	        --margin 0.02 --output $(BUILD)/comparison.pq; \
	fi

promote: compare
	version=$$(sed 's/.*"version":\([0-9]*\).*/\1/' $(BUILD)/pushed.json); \
	if [ -f $(BUILD)/comparison.pq ]; then \
	    tallow registry promote churn:$$version champion --evaluation $(BUILD)/evaluation.pq \
	        --comparison $(BUILD)/comparison.pq --gate 'not_inferior == 1'; \
	else \
	    tallow registry promote churn:$$version champion --evaluation $(BUILD)/evaluation.pq; \
	fi

night:
	tallow score -q --model churn@champion $(CUSTOMERS) --output $(NIGHT)/ --overwrite
	if [ -d $(LAST_NIGHT) ]; then \
	    code=0; \
	    tallow compare $(LAST_NIGHT) $(NIGHT) --key customer_id --format json \
	        --gate 'flip_rate <= $(MAX_FLIP_RATE)' > $(NIGHT).json || code=$$?; \
	    models=$$(grep -o '"digest":"[^"]*"' $(NIGHT).json | sort -u | wc -l); \
	    if [ $$code -eq 5 ] && [ $$models -gt 1 ]; then \
	        tallow registry rollback churn@champion --reason 'too many decisions flipped'; \
	    fi; \
	    [ $$code -eq 0 ] || exit $$code; \
	fi; \
	rm -rf $(LAST_NIGHT) && cp -a $(NIGHT) $(LAST_NIGHT)
