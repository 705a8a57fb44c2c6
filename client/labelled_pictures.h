// A folder of test pictures: FOLDER/<label>/<picture>.

#ifndef GROUPMAMBA_CLIENT_LABELLED_PICTURES_H_
#define GROUPMAMBA_CLIENT_LABELLED_PICTURES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace groupmamba::client {

struct LabelledPicture {
  std::string path;
  int label;  // position in the model's list of labels
};

// The pictures below `folder`, each with the label whose name its folder has,
// in the order of the labels. Hidden folders are left out. INVALID_ARGUMENT,
// with a sentence for the user, when there are none, when a folder's name is no
// label or stands for two, when a folder holds no picture, and when pictures
// lie outside the label folders.
absl::StatusOr<std::vector<LabelledPicture>> FindLabelledPictures(
    const std::string& folder, const std::vector<std::string>& labels);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LABELLED_PICTURES_H_
