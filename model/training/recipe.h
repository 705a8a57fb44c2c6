// Named sets of settings: whole recipes, and the published sizes of the model.

#ifndef GROUPMAMBA_MODEL_TRAINING_RECIPE_H_
#define GROUPMAMBA_MODEL_TRAINING_RECIPE_H_

#include <string>

namespace CLI {
class App;
}

namespace groupmamba::training {

struct RecipeSettings {
  std::string recipe = "fashion";  // or "imagenet"
  std::string variant;  // tiny, small or base; empty: as the recipe says
};

// --recipe and --variant.
void AddRecipeFlags(CLI::App* app, RecipeSettings* settings);

// Gives every other flag of `app` that was set neither on the command line, nor
// by the environment, nor by a file what the recipe and the variant say. For
// CLI11's parse_complete_callback.
void ApplyRecipe(const RecipeSettings& settings, CLI::App* app);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_RECIPE_H_
